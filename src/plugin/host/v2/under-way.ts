import { shared } from "../../util/process-wide.ts"
import type { HostEvent } from "../port.ts"
import type { Context } from "./api.ts"
import { decodeRequests, decodeRunningCalls } from "./decode.ts"

type Hear = (event: HostEvent) => void

/**
 * What is under way in sessions, for an instance of the plugin that has not heard it begin: opencode tells which calls
 * run and which permissions are asked for; questions and the pauses of providers are remembered from events.
 */
export class UnderWay {
  readonly #context: Pick<Context, "permission" | "session">
  readonly #now: () => number
  readonly #readings = new Set<Reading>()

  constructor(context: Pick<Context, "permission" | "session">, now: () => number = Date.now) {
    this.#context = context
    this.#now = now
  }

  /** Takes every event of opencode. */
  hear(event: HostEvent): void {
    remember(event)
    for (const reading of this.#readings) {
      if (reading.session !== event.session) continue
      if (event.type === "session.idle" || event.type === "session.deleted") reading.isOver = true
      if (event.type === "tool.ended") reading.ended.add(event.call)
      if (event.type === "request.closed") reading.ended.add(event.request)
    }
  }

  /** Tells of all that is under way in this session and in the subagents of its own. */
  async tell(session: string, hear: Hear): Promise<void> {
    const reading: Reading = { session, isOver: false, ended: new Set() }
    this.#readings.add(reading)
    const key = { sessionID: session }
    const [messages, requests] = await Promise.all([
      this.#context.session.context(key),
      this.#context.permission.list(key),
    ]).finally(() => this.#readings.delete(reading))
    if (reading.isOver) return

    // From here to the last one, nothing else is heard in between.
    const calls = decodeRunningCalls(messages).filter(({ call }) => !reading.ended.has(call))
    const subagents = calls.flatMap(({ subagent }) => (subagent === undefined ? [] : [subagent]))
    for (const { call, tool, isSubagent } of calls)
      hear({ type: "tool.running", session, call, tool, isSubagent, title: undefined })
    for (const event of remembered.get(session)?.values() ?? []) {
      // Its end may not have been heard: only while a call runs can one ask, and no pause lasts longer than it was to.
      const isOpen = event.type === "session.retrying" ? event.next > this.#now() : calls.length > 0
      if (isOpen) hear(event)
    }
    for (const request of decodeRequests(requests))
      if (!reading.ended.has(request.id)) hear({ type: "request.opened", session, request })
    for (const subagent of subagents) hear({ type: "session.created", session: subagent, parent: session })
    await Promise.all(subagents.map((subagent) => this.tell(subagent, hear)))
  }
}

/** What opencode is being asked about, and what has ended since. */
type Reading = { session: string; isOver: boolean; ended: Set<string> }

/** By session and by request. The number counts up when an event of these changes. */
const remembered = shared(
  "questions and pauses of opencode 2, 1",
  () => new Map<string, Map<string, HostEvent>>(),
)

const pause = "pause"

function remember(event: HostEvent): void {
  const { session } = event
  switch (event.type) {
    case "request.opened":
      if (event.request.kind === "question") open(event.request.id, event)
      return
    case "request.closed":
      close(session, event.request)
      return
    case "session.retrying":
      open(pause, event)
      return
    case "session.busy":
      close(session, pause)
      return
    case "session.idle":
    case "session.deleted":
      remembered.delete(session)
  }
}

function open(id: string, event: HostEvent): void {
  const events = remembered.get(event.session) ?? new Map<string, HostEvent>()
  remembered.set(event.session, events.set(id, event))
}

function close(session: string, id: string): void {
  const events = remembered.get(session)
  events?.delete(id)
  if (events?.size === 0) remembered.delete(session)
}
