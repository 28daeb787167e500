import { hasEnded } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Host, HostEvent } from "../host/port.ts"
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
    handle({ type, session }: HostEvent): void {
      switch (type) {
        case "session.busy":
        case "session.retrying":
          notifier.turn(session, true)
          return
        case "session.idle":
          notifier.turn(session, false)
          return
        case "session.interrupted":
          interrupted(session)
          return
        case "session.deleted":
          endOf(session)
      }
    },
  }
}
