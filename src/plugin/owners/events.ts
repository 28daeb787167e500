import { hasEnded } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { HostEvent, Toast } from "../host/port.ts"
import type { Deliveries } from "./deliveries.ts"
import type { Inbox } from "./inbox.ts"

export type OwnersOptions = {
  show: (toast: Toast) => void
  troupe: Troupe
  inbox: Inbox
  deliveries: Deliveries
}

/** Hears what happens to owners: their turns begin, end, are interrupted; they are deleted. */
export function hearOwners({ show, troupe, inbox, deliveries }: OwnersOptions) {
  const running = (owner: string) => troupe.records.of(owner).filter((record) => !hasEnded(record))

  /** Its jobs end, and theirs with them; then nothing of it is kept. */
  function endOf(owner: string): void {
    if (troupe.records.countOf(owner) === 0) return
    const forget = () => {
      if (running(owner).length > 0) return
      unsubscribe()
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
    const jobs = count === 1 ? "1 job is" : `${count} jobs are`
    show({
      message: `${jobs} still running. To stop: ask the agent to cancel all jobs.`,
      variant: "info",
    })
  }

  return (event: HostEvent): void => {
    // What a turn has delivered is known before its end.
    inbox.hear(event)
    deliveries.hear(event)
    switch (event.type) {
      case "session.interrupted":
        interrupted(event.session)
        return
      case "session.deleted":
        endOf(event.session)
    }
  }
}
