import { createTroupe } from "../machines/troupe.ts"
import { childEffects } from "./children/effects.ts"
import { createMessenger } from "./children/messenger.ts"
import { Turns } from "./children/turns.ts"
import { watchChildren } from "./children/watch.ts"
import type { Host, HostEvent, Tool } from "./host/port.ts"
import { readOptions } from "./options.ts"
import { Inbox } from "./owners/inbox.ts"
import { createLineage } from "./owners/lineage.ts"
import { createNotifier } from "./owners/notify.ts"
import { createOwnerEvents } from "./owners/owner-events.ts"
import { hint, openJobs } from "./owners/system-prompt.ts"
import { inspectJobs } from "./person/inspection.ts"
import { tellPerson } from "./person/toasts.ts"
import { takeLease } from "./records/lease.ts"
import { createRecovery } from "./records/recovery.ts"
import { JobStore } from "./records/store.ts"
import { JOB_TOOLS, jobTools } from "./tools/index.ts"
import { wordsOf } from "./util/error-words.ts"
import { within } from "./util/within.ts"

/** Longest wait at the end for records that are still being written. Milliseconds. */
const disposeLimit = 3_000

export type ProductOptions = {
  host: Host
  directory: string
  /** As the user has set them: they may be anything. */
  given: unknown
  /** opencode itself ends with the main turn, as `opencode run` does. */
  endsWithTurn: boolean
}

/** The product over one opencode, whichever its generation. */
export type Product = {
  tools: Record<string, Tool>
  hear(event: HostEvent): void
  /** What a session's model is told of the tools; nothing for one that may not use them. */
  hintFor(session: string): Promise<string | undefined>
  /** What a compaction of this session must not lose. */
  openJobs(session: string): string | undefined
  /** Ends all but what opencode itself does, within a few seconds. */
  stop(): Promise<void>
}

export function createProduct({ host, directory, given, endsWithTurn }: ProductOptions): Product {
  const now = Date.now
  const { options, problems } = readOptions(given)
  const { lease, drop } = takeLease()
  const store = new JobStore(host, lease)
  const turns = new Turns(host)
  const effects = childEffects({
    host,
    turns,
    jobTools: JOB_TOOLS,
    storedFor: async (job) => store.newStored(job),
    recordEnd: async (record) => store.save(record),
    recordOf: ({ owner, id }) => troupe.records.get(owner, id),
  })
  const troupe = createTroupe({
    concurrency: options.concurrency,
    effects,
    now,
    reportError: (error) => void host.log("error", `a defect of opencode-troupe: ${wordsOf(error)}`),
  })
  const inbox = new Inbox(troupe.records, store)
  const lineage = createLineage(host)
  const notifier = createNotifier({ host, troupe, inbox, notify: options.notify, now })
  const { recover } = options
  const recovery = createRecovery({ host, troupe, inbox, store, recover, onFound: notifier.check, now })
  const watch = watchChildren(troupe, now)
  const ownerEvents = createOwnerEvents({ host, troupe, inbox, notifier, lineage })
  const stopTellingPerson = tellPerson(host, troupe)
  const messenger = createMessenger({ troupe, host, turns, store, options, now })
  const inspection = inspectJobs({
    host,
    troupe,
    messenger,
    turns,
    options,
    directory,
    now,
  })
  store.follow(troupe)

  // opencode answers its plugins only once they are loaded, so nothing here may be waited for.
  setTimeout(() => {
    for (const problem of problems) void host.log("warn", problem)
    void recovery.everybody()
  }, 0)

  /** A terminal that is just starting loses its toasts: a message says that a person is there to see them. */
  const unseen = [...problems]
  function showProblems(): void {
    for (const message of unseen.splice(0)) void host.toast({ message, variant: "warning" })
  }

  return {
    tools: jobTools({ troupe, host, messenger, inbox, lineage, recovery, options, now }),
    hear(event) {
      if (event.type === "message.stored") showProblems()
      turns.hear(event)
      watch.handle(event)
      ownerEvents.handle(event)
    },
    async hintFor(session) {
      const depth = await lineage.depthOf(session)
      return depth !== undefined && depth < options.depth ? hint(endsWithTurn) : undefined
    },
    openJobs: (session) => openJobs(inbox.open(session), now()),
    async stop() {
      recovery.stop()
      notifier.stop()
      stopTellingPerson()
      const inspectorLeft = inspection.stop()
      troupe.stop()
      await within(disposeLimit, Promise.all([store.settled(), inspectorLeft]), () => undefined)
      drop()
    },
  }
}
