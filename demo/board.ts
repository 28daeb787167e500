import { hasEnded, type JobRecord } from "../src/machines/record.ts"

/** A call of one of the plugin's tools by the main agent. */
export type Call = {
  tool: string
  input: Record<string, unknown>
  /** What the main agent got back; nothing while the call runs. */
  output?: string
}

/** What is shown: the main agent's calls and the state of all jobs. */
export class Board {
  readonly calls: Call[] = []
  /** Every `state.phase` that a job was seen in, oldest first. */
  readonly past = new Map<string, string[]>()
  readonly #ids: readonly string[]
  readonly #records = new Map<string, JobRecord>()

  /** @param ids the jobs that the main agent starts. */
  constructor(ids: readonly string[]) {
    this.#ids = ids
  }

  /** In the order of the call: sessions are created in any order. */
  get jobs(): JobRecord[] {
    return [...this.#records.values()].sort((a, b) => this.#ids.indexOf(a.id) - this.#ids.indexOf(b.id))
  }

  get hasAllEnds(): boolean {
    return this.#records.size === this.#ids.length && this.jobs.every(hasEnded)
  }

  take(record: JobRecord): void {
    this.#records.set(record.id, record)
    const past = this.past.get(record.id) ?? []
    if (past.at(-1) !== stateOf(record)) this.past.set(record.id, [...past, stateOf(record)])
  }

  began(call: Call): void {
    this.calls.push(call)
  }

  /** The main agent calls one tool at a time. */
  returned(output: string): void {
    const last = this.calls.at(-1)
    if (last) last.output = output
  }
}

/** `prompting.retrying` */
export const stateOf = ({ state, phase }: JobRecord) => (phase ? `${state}.${phase}` : state)

/** The last text of the job's child, or the end of it. */
export const textOf = ({ text, activity }: JobRecord) => text ?? activity?.text ?? ""
