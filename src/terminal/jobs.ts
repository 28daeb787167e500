import type { Budget, JobRecord } from "../machines/record.ts"
import type { Answer, Request } from "../shown/requests.ts"
import type { Glance } from "./glance.ts"

/** A job as the terminal shows it: its record without what only its result needs. */
export type ShownJob = Omit<JobRecord, "text" | "structured"> & {
  /** Those of the same owner that are queued before it, where opencode has a channel to tell. */
  before?: number
  /** What a blocked one needs and has not ended yet, by id. */
  waitsFor?: readonly string[]
  /** How far the jobs are that a group stands for, where it has any. */
  items?: Items
}

export type Items = { all: number; done: number; failed: number; cancelled: number }

/** What a batch or an owner may spend, and what is spent of it, with all that its jobs started. Cost in US dollars. */
export type Spending = {
  of: "batch" | "owner"
  /** The batch, or the owner's session. */
  name: string
  limit: Budget
  spent: { tokens: number; cost: number }
  /** Nothing more is prompted. */
  isSpent: boolean
}

/** Jobs, and the budgets that they count towards. */
export type Overview = { jobs: readonly ShownJob[]; budgets: readonly Spending[] }

export type Ask = NonNullable<ShownJob["asks"]>[number]

/** What the terminal knows of jobs and does with them, in either generation of opencode. */
export type Jobs = {
  /** Those that this session started, oldest first. @throws Error where they cannot be told now */
  of(owner: string): Promise<readonly ShownJob[]>
  /** Its most urgent ones, so many at most, and how many there are. @throws Error where they cannot be told now */
  glance(owner: string, most: number): Promise<Glance>
  /** Those of all sessions of this project. @throws Error where they cannot be told now */
  all(): Promise<Overview>
  /** Those that wait for a person. @throws Error where they cannot be told now */
  waiting(): Promise<readonly ShownJob[]>
  /** Of an owner's session, for people; its id where it is not known yet. Live, where it is read within a component. */
  title(owner: string): string
  /** What it was asked, and what it answered or had written. @throws Error that says why it cannot be read */
  read(job: ShownJob): Promise<{ prompt: string; text: string }>
  /**
   * A fresh link to the inspector; nothing where opencode has no channel to tell: there the server part shows it.
   * @throws Error that says why there is none
   */
  inspect(): Promise<string | undefined>
  /** @throws Error that says why not */
  cancel(job: ShownJob): Promise<void>
  /** Hands a running job a message, or an ended one a follow-up. @throws Error that says why not */
  send(job: ShownJob, message: string): Promise<void>
  /** What it asks, in full; nothing where that has been answered meanwhile. @throws Error that says why not */
  request(job: ShownJob, ask: Ask): Promise<Request | undefined>
  /** Whether it was still open. @throws Error that says why the answer was not taken */
  answer(request: Request, answer: Answer): Promise<boolean>
  /**
   * Hears that jobs of this owner, or without one of any, have changed, at most four times a second; also when opencode
   * is back, which nobody has heard of meanwhile. Returns what ends it.
   */
  subscribe(hear: () => void, owner?: string): () => void
}

/** The machines' own would bring all that reads records. */
export const hasEnded = ({ endedAt }: ShownJob): boolean => endedAt !== undefined
