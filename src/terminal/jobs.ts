import type { JobRecord } from "../machines/record.ts"

/** A job as the terminal shows it: its record without what only its result needs. */
export type ShownJob = Omit<JobRecord, "text">

export type Decision = "once" | "always" | "reject"

/** What the terminal knows of jobs and does with them, in either generation of opencode. */
export type Jobs = {
  /** Those that this session started, oldest first. @throws Error where they cannot be told now */
  of(owner: string): Promise<readonly ShownJob[]>
  /** Those of all sessions of this project. @throws Error where they cannot be told now */
  all(): Promise<readonly ShownJob[]>
  /** Of an owner's session, for people; its id where it is not known yet. Live, where it is read within a component. */
  title(owner: string): string
  /** What it was asked, and what it answered or had written. @throws Error that says why it cannot be read */
  read(job: ShownJob): Promise<{ prompt: string; text: string }>
  /** @throws Error that says why not */
  cancel(job: ShownJob): Promise<void>
  /** Hands a running job a message, or an ended one a follow-up. @throws Error that says why not */
  send(job: ShownJob, message: string): Promise<void>
  /** Answers the permission request that it waits for. @throws Error that says why not */
  answer(job: ShownJob, request: string, decision: Decision): Promise<void>
  /** Hears that the jobs of an owner have changed, at most four times a second. Returns what ends it. */
  subscribe(hear: (owner: string) => void): () => void
}

/** The machines' own would bring all that reads records. */
export const hasEnded = ({ endedAt }: ShownJob): boolean => endedAt !== undefined
