import { isSummary } from "../host/answers.ts"
import type { Host, HostEvent } from "../host/port.ts"
import { deliveredRuns } from "../records/delivery-mark.ts"
import { wordsOf } from "../util/error-words.ts"
import type { Inbox } from "./inbox.ts"

export type Undos = {
  hear(event: HostEvent): void
  /** Resolves once it is known what this owner's conversation still holds. */
  settled(owner: string): Promise<void>
}

/**
 * An undo that has become final takes messages out of a conversation, and with them what they had delivered: the
 * owner's conversation is read again, and what it no longer holds is undelivered.
 */
export function createUndos(host: Pick<Host, "messages" | "log">, inbox: Inbox): Undos {
  /** By owner; `isStale`: more was taken out since the conversation was asked for. */
  const reading = new Map<string, { isStale: boolean; read: Promise<void> }>()

  function read(owner: string): void {
    const current = { isStale: false, read: readAgain(owner) }
    reading.set(owner, current)
    current.read = current.read.finally(() => {
      reading.delete(owner)
      if (current.isStale) read(owner)
    })
  }

  async function readAgain(owner: string): Promise<void> {
    try {
      const messages = await host.messages(owner)
      // What a summary stands for is still there, as far as anybody can say.
      if (messages.ok && messages.value.some(isSummary)) return
      if (messages.ok) inbox.keepDelivered(owner, deliveredRuns(messages.value))
      else if (messages.error.status !== 404) throw new Error(messages.error.message)
    } catch (error) {
      void host.log("warn", `what an undo has taken out of ${owner} is not known: ${wordsOf(error)}`)
    }
  }

  return {
    hear({ type, session }) {
      if (type !== "messages.removed" || !inbox.hasDelivered(session)) return
      const current = reading.get(session)
      if (current) current.isStale = true
      else read(session)
    },
    async settled(owner) {
      for (let current = reading.get(owner); current; current = reading.get(owner)) await current.read
    },
  }
}
