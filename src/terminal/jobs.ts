import type { JobRecord } from "../machines/record.ts"

/** A job as the terminal shows it: its record without what only its result needs. */
export type ShownJob = Omit<JobRecord, "text">

/** What the terminal knows of jobs and does with them, in either generation of opencode. */
export type Jobs = {
  /** Those that this session started, oldest first. @throws Error where they cannot be told now */
  of(owner: string): Promise<readonly ShownJob[]>
  /** Hears that the jobs of an owner have changed, at most four times a second. Returns what ends it. */
  subscribe(hear: (owner: string) => void): () => void
}

/** The machines' own would bring all that reads records. */
export const hasEnded = ({ endedAt }: ShownJob): boolean => endedAt !== undefined
