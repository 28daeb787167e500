import { isSummary } from "../host/answers.ts"
import type { Host, HostEvent, HostMessage } from "../host/port.ts"
import { type DeliveredRun, deliveredRuns, isIn, runsIn } from "../records/delivery-mark.ts"
import { wordsOf } from "../util/error-words.ts"
import type { Inbox } from "./inbox.ts"

export type Conversations = {
  hear(event: HostEvent): void
  /** Resolves once it is known what this owner's conversation holds. */
  settled(owner: string): Promise<void>
}

/** Why an owner's conversation is read. */
type Doubt =
  /** An undo that has become final takes messages out of it, and with them what they had delivered. */
  | { type: "removed" }
  /** opencode says that this call has answered: whether it has stored that shows in the conversation. */
  | { type: "answered"; call: string; runs: DeliveredRun[]; at: number }

/** Reads an owner's conversation where an event leaves open which results it holds. */
export function createConversations(
  host: Pick<Host, "messages" | "log">,
  inbox: Inbox,
  now: () => number,
): Conversations {
  /** By owner; `doubts`: those that came since the conversation was asked for. */
  const readings = new Map<string, { doubts: Doubt[]; over: Promise<void> }>()

  function doubt(owner: string, doubt: Doubt): void {
    const reading = readings.get(owner)
    if (reading) reading.doubts.push(doubt)
    else {
      const doubts = [doubt]
      readings.set(owner, { doubts, over: readWhile(owner, doubts) })
    }
  }

  async function readWhile(owner: string, doubts: Doubt[]): Promise<void> {
    // What is heard in the same moment is settled by the same reading.
    await Promise.resolve()
    while (doubts.length > 0) await settle(owner, doubts.splice(0))
    readings.delete(owner)
  }

  async function settle(owner: string, doubts: readonly Doubt[]): Promise<void> {
    const answers = doubts.filter((each) => each.type === "answered")
    const messages = await read(owner)
    if (messages) {
      const runs = deliveredRuns(messages)
      inbox.markDelivered(owner, runs)
      const summarizedUntil = messages.findLast(isSummary)?.summarizesUntil ?? 0
      // Of what a summary stands for nothing else tells.
      for (const { runs, at } of answers) if (at <= summarizedUntil) inbox.markDelivered(owner, runs)
      if (doubts.length > answers.length) inbox.keepDelivered(owner, runs, summarizedUntil)
    } else for (const { runs } of answers) inbox.markDelivered(owner, runs)
    for (const { call } of answers) inbox.forgetAnswer(owner, call)
  }

  async function read(owner: string): Promise<HostMessage[] | undefined> {
    try {
      const messages = await host.messages(owner)
      if (messages.ok) return messages.value
      if (messages.error.status !== 404) throw new Error(messages.error.message)
    } catch (error) {
      void host.log("warn", `it is not known which results ${owner} holds: ${wordsOf(error)}`)
    }
    return undefined
  }

  return {
    hear(event) {
      const { type, session } = event
      if (type === "messages.removed" && inbox.hasDelivered(session)) doubt(session, { type: "removed" })
      if (type !== "tool.ended" || !event.isInDoubt) return
      const runs = runsIn(event.mark)
      if (inbox.undelivered(session).some((record) => isIn(runs, record)))
        doubt(session, { type: "answered", call: event.call, runs, at: now() })
    },
    settled: async (owner) => readings.get(owner)?.over,
  }
}
