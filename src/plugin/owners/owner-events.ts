import * as z from "zod"
import { hasEnded } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Host } from "../host/client.ts"
import type { Inbox } from "./inbox.ts"
import type { Lineage } from "./lineage.ts"
import type { Notifier } from "./notify.ts"

export type OwnerEventsOptions = {
  host: Host
  troupe: Troupe
  inbox: Inbox
  notifier: Notifier
  lineage: Lineage
}

/** What happens to owners: their turns begin, end, are interrupted; they are deleted. */
export function createOwnerEvents({ host, troupe, inbox, notifier, lineage }: OwnerEventsOptions) {
  const running = (owner: string) => troupe.records.of(owner).filter((record) => !hasEnded(record))

  /** Its jobs end, and theirs with them; then nothing of it is kept. */
  function endOf(owner: string): void {
    lineage.forget(owner)
    if (troupe.records.countOf(owner) === 0) return
    const forget = () => {
      if (running(owner).length > 0) return
      unsubscribe()
      inbox.forgetOwner(owner)
      troupe.forgetOwner(owner)
    }
    const unsubscribe = troupe.records.subscribe((record) => {
      // Not in the midst of its supervisor's step.
      if (record.owner === owner) queueMicrotask(forget)
    })
    troupe.cancel(running(owner), "its owner's session was deleted")
    forget()
  }

  /** Only the waiting ends: jobs are not stopped by a key that was meant for the turn. */
  function interrupted(owner: string): void {
    const count = running(owner).length
    if (count === 0) return
    const jobs = count === 1 ? "1 job runs on" : `${count} jobs run on`
    void host.toast({ message: `${jobs}. To stop: ask the agent to cancel all jobs.`, variant: "info" })
  }

  return {
    /** Takes any event of opencode. */
    handle(unparsed: unknown): void {
      const event = OwnerEvent.safeParse(unparsed)
      if (!event.success) return
      const { type, properties } = event.data
      switch (type) {
        case "session.status":
          notifier.turn(properties.sessionID, properties.status.type !== "idle")
          return
        case "session.error":
          if (properties.error?.name === "MessageAbortedError") interrupted(properties.sessionID)
          return
        case "session.deleted":
          endOf(properties.sessionID)
      }
    },
  }
}

const OwnerEvent = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("session.status"),
    properties: z.object({ sessionID: z.string(), status: z.object({ type: z.string() }) }),
  }),
  z.object({
    type: z.literal("session.error"),
    properties: z.object({ sessionID: z.string(), error: z.object({ name: z.string() }).optional() }),
  }),
  z.object({ type: z.literal("session.deleted"), properties: z.object({ sessionID: z.string() }) }),
])
