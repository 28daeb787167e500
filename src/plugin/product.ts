import { inspectCommand } from "../inspector/discovery/command.ts"
import { Ledger } from "../machines/ledger.ts"
import { createTroupe } from "../machines/troupe.ts"
import { childEffects } from "./children/effects.ts"
import { createMessenger } from "./children/messenger.ts"
import { Turns } from "./children/turns.ts"
import { watchChildren } from "./children/watch.ts"
import type { Host, HostEvent, Tool } from "./host/port.ts"
import { readOptions } from "./options.ts"
import { Deliveries } from "./owners/deliveries.ts"
import { hearOwners } from "./owners/events.ts"
import { Inbox } from "./owners/inbox.ts"
import { createLineage } from "./owners/lineage.ts"
import { hint, openJobs } from "./owners/system-prompt.ts"
import { allActors } from "./person/actors.ts"
import { registerCopy } from "./person/copies.ts"
import { inspectJobs } from "./person/inspection.ts"
import { loadedLine } from "./person/loaded.ts"
import { createToasts, logInstead } from "./person/toasts.ts"
import { isOfThisProcess, takeLease } from "./records/lease.ts"
import { createRecovery, type Waiting } from "./records/recovery.ts"
import { JobStore } from "./records/store.ts"
import { JOB_TOOLS, type JobTool, jobTools } from "./tools/index.ts"
import { StartsUnderWay } from "./tools/starts.ts"
import { wordsOf } from "./util/error-words.ts"
import { within } from "./util/within.ts"

/** Longest wait at the end for records that are still being written. Milliseconds. */
const stopTimeout = 3_000

export type ProductOptions = {
  host: Host
  directory: string
  /** As the user has set them: they may be anything. */
  given: unknown
  /** opencode itself ends with the main turn, as `opencode run` does. */
  endsWithTurn: boolean
  /** Turns go on while opencode puts another instance of the plugin in the place of this one. */
  turnsOutlivePlugin: boolean
}

/** The product over one opencode, whichever its generation: one for each directory. */
export type Product = {
  tools: Record<JobTool, Tool>
  hear(event: HostEvent): void
  /** What a session's model is told of the tools; nothing for one that may not use them. */
  hintFor(session: string): Promise<string | undefined>
  /** What a compaction of this session must not lose. */
  openJobs(session: string): string | undefined
  /** Ends all but what opencode itself does, within a few seconds. */
  stop(): Promise<void>
}

export function createProduct(settings: ProductOptions): Product {
  const { host, directory, endsWithTurn, turnsOutlivePlugin } = settings
  const now = Date.now
  const { options, problems: wrongOptions } = readOptions(settings.given)
  const copy = registerCopy(directory, import.meta.url)
  const problems = copy.problem === undefined ? wrongOptions : [...wrongOptions, copy.problem]
  const { concurrency, notify, recover } = options
  const reportError = (error: unknown) => void host.log("error", `internal error: ${wordsOf(error)}`)

  const ledger = new Ledger(reportError)
  const holder = takeLease()
  const store = new JobStore(host, holder)
  const turns = new Turns(host)
  const { toast } = host
  const toasts = toast
    ? createToasts({ host: { toast }, records: ledger, reportError })
    : logInstead({ host, records: ledger })
  const warn = toasts.show
  const effects = childEffects({ host, turns, store, records: ledger, warn, jobTools: JOB_TOOLS })
  const troupe = createTroupe({ ledger, effects, concurrency, now, reportError })
  const inbox = new Inbox(troupe, store)
  const lineage = createLineage(host)
  const deliveries = new Deliveries({ host, troupe, inbox, notify, now, reportError })
  const starts = new StartsUnderWay()
  const watch = watchChildren(troupe, now)
  const hearOwner = hearOwners({ show: toasts.show, troupe, inbox, deliveries, lineage })
  const recovery = createRecovery({
    host,
    troupe,
    inbox,
    store,
    recover,
    isTakenOver: (lease) => turnsOutlivePlugin && isOfThisProcess(lease),
    onTakenOver: (session) => deliveries.takeOver(session),
    onWaiting: showWaiting,
    now,
  })
  const messenger = createMessenger({ troupe, host, turns, store, options, now })
  const actors = () =>
    allActors(troupe.actors(), {
      turns: () => turns.actors(),
      deliveries: () => deliveries.actors(),
      writers: () => store.actors(),
      jobOf: (session) => ledger.bySession(session),
    })
  const inspection = inspectJobs({ host, toasts, troupe, actors, messenger, turns, options, directory, now })
  store.follow(troupe)

  // opencode answers its plugins only once they are loaded, so nothing here may be waited for.
  setTimeout(() => {
    void host.log("info", loadedLine(options))
    for (const problem of problems) tell(problem)
    host.problems.subscribe(tell)
    void recovery.everybody()
  }, 0)

  function tell(problem: string): void {
    void host.log("warn", problem)
    if (isSeen) toasts.problems([problem])
    else unseen.push(problem)
  }

  async function showWaiting({ owner, count }: Waiting): Promise<void> {
    const session = await host.session(owner)
    toasts.waiting(count, session.ok ? session.value.title : undefined)
    const what =
      count === 1 ? "1 result of an earlier opencode waits" : `${count} results of an earlier opencode wait`
    void host.log("info", `${what} for ${owner}: delivered when that session is next used`)
  }

  /** A terminal that is just starting loses its toasts: a message says that a person is there to see them. */
  const unseen: string[] = []
  let isSeen = false

  return {
    tools: jobTools({
      troupe,
      host,
      messenger,
      inbox,
      lineage,
      recovery,
      starts,
      options,
      inspectCommand: () => inspectCommand,
      now,
    }),
    hear(event) {
      if (event.type === "message.stored") {
        isSeen = true
        toasts.problems(unseen.splice(0))
      }
      turns.hear(event)
      starts.hear(event)
      watch.handle(event)
      hearOwner(event)
    },
    async hintFor(session) {
      const depth = await lineage.depthOf(session)
      return depth !== undefined && depth < options.depth ? hint(endsWithTurn) : undefined
    },
    openJobs: (session) => openJobs(inbox.open(session), now()),
    async stop() {
      recovery.stop()
      deliveries.stop()
      toasts.stop()
      const inspectorLeft = inspection.stop()
      troupe.stop()
      await Promise.all([store.drain(stopTimeout), within(stopTimeout, inspectorLeft, () => undefined)])
      holder.drop()
      copy.remove()
    },
  }
}
