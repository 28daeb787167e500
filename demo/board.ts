import type { Part } from "@opencode-ai/sdk/v2/client"
import * as z from "zod"
import { hasEnded, JobRecord } from "../src/machines/record.ts"
import { OUR_KEY } from "../src/plugin/host/v1/decode.ts"
import { StoredJob } from "../src/plugin/records/stored-job.ts"
import type { Events } from "../test/support/events.ts"

type Event = Events["seen"][number]

/** A call of one of the plugin's tools by the main agent. */
export type Call = {
  tool: string
  input: Record<string, unknown>
  status: "running" | "completed" | "error"
  /** Its progress in words. */
  title: string
  /** What the main agent gets back, or why the call failed. */
  output: string
  metadata: unknown
}

/**
 * The state of all jobs, from opencode's own events alone: records in the metadata of child sessions, records that
 * tool calls carry, and the children's text and retries.
 */
export class Board {
  readonly calls = new Map<string, Call>()
  /** Every `state.phase` that a job has had, oldest first. */
  readonly past = new Map<string, string[]>()
  readonly #owner: string
  readonly #ids: readonly string[]
  readonly #records = new Map<string, JobRecord>()
  readonly #texts = new Map<string, string>()

  /**
   * @param owner the main agent's session.
   * @param ids the jobs that it starts.
   */
  constructor(owner: string, ids: readonly string[]) {
    this.#owner = owner
    this.#ids = ids
  }

  /** In the order of the call: sessions are created in any order. */
  get jobs(): JobRecord[] {
    return [...this.#records.values()].sort((a, b) => this.#ids.indexOf(a.id) - this.#ids.indexOf(b.id))
  }

  take({ payload }: Event): void {
    switch (payload.type) {
      case "session.created":
      case "session.updated": {
        const { id, metadata } = payload.properties.info
        const stored = StoredJob.safeParse(metadata?.[OUR_KEY])
        if (stored.success) this.#takeStored({ ...stored.data.record, session: id })
        return
      }
      case "message.part.delta": {
        const { sessionID, delta } = payload.properties
        this.#texts.set(sessionID, (this.#texts.get(sessionID) ?? "") + delta)
        return
      }
      case "session.status": {
        const { sessionID, status } = payload.properties
        const record = this.jobs.find(({ session }) => session === sessionID)
        if (!record || hasEnded(record) || status.type !== "retry") return
        const { attempt, message: reason, next } = status
        this.#set({ ...record, state: "prompting", phase: "retrying", retry: { attempt, reason, next } })
        return
      }
      case "message.part.updated":
        this.#takePart(payload.properties.part)
    }
  }

  /** The last text of the job's child. */
  textOf({ session }: JobRecord): string {
    return this.#texts.get(session) ?? ""
  }

  #takePart(part: Part): void {
    // A prompt has no time: it is the owner's text, not the child's.
    if (part.type === "text" && part.time) this.#texts.set(part.sessionID, part.text)
    if (part.type !== "tool" || part.sessionID !== this.#owner || part.state.status === "pending") return
    const { status, input } = part.state
    const metadata = part.state.metadata ?? {}
    this.calls.set(part.callID, {
      tool: part.tool,
      input,
      status,
      title: (status === "error" ? "" : part.state.title) ?? "",
      output: status === "completed" ? part.state.output : status === "error" ? part.state.error : "",
      metadata,
    })
    for (const record of jobsOf(metadata)) this.#takeShown(record)
  }

  /** Stored records are written rarely and repeated with each event of the session: only a new state is news. */
  #takeStored(record: JobRecord): void {
    const known = this.#records.get(record.id)
    if (!known || stageOf(record) > stageOf(known)) this.#set(record)
  }

  /** What a tool call shows may be half a second old. */
  #takeShown(record: JobRecord): void {
    const known = this.#records.get(record.id)
    const isOlder = record.phase === "working" && known?.retry !== undefined && Date.now() < known.retry.next
    if (!known || (stageOf(record) >= stageOf(known) && !isOlder)) this.#set(record)
  }

  #set(record: JobRecord): void {
    this.#records.set(record.id, record)
    const past = this.past.get(record.id) ?? []
    // The first stored record has no phase yet: its session was created just now.
    if (record.state === "created" && !record.phase) return
    if (past.at(-1) !== stateOf(record)) this.past.set(record.id, [...past, stateOf(record)])
  }
}

/** Records as the metadata of a tool call carries them. */
export function jobsOf(metadata: unknown): JobRecord[] {
  const found = z.object({ jobs: z.array(JobRecord) }).safeParse(metadata)
  return found.success ? found.data.jobs : []
}

/** `prompting.retrying` */
export const stateOf = ({ state, phase }: JobRecord) => (phase ? `${state}.${phase}` : state)

const stageOf = (record: JobRecord) => (hasEnded(record) ? 2 : record.state === "prompting" ? 1 : 0)
