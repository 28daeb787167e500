import { inspectCommand } from "../inspector/discovery/command.ts"
import { Ledger } from "../machines/ledger.ts"
import type { JobError, JobRecord } from "../machines/record.ts"
import { createTroupe } from "../machines/troupe.ts"
import { oneLine, plainLines } from "../util/plain.ts"
import { createChecks } from "./children/check/checks.ts"
import { followDependents } from "./children/dependents.ts"
import { childEffects } from "./children/effects.ts"
import { holdAgainOnChange } from "./children/held-again.ts"
import { holdToOwner } from "./children/hold.ts"
import { createItems } from "./children/items.ts"
import { removeResults } from "./children/kept-results.ts"
import { createMessenger } from "./children/messenger.ts"
import { checkFor } from "./children/schema/schemas.ts"
import { Turns } from "./children/turns.ts"
import { watchChildren } from "./children/watch.ts"
import type { Host, HostEvent, Toast, Tool } from "./host/port.ts"
import { Isolation } from "./isolation/isolation.ts"
import { leaveAtEnd } from "./isolation/leave-at-end.ts"
import { recoveredWords } from "./isolation/recovered-words.ts"
import { type Options, readOptions } from "./options.ts"
import { Budgets } from "./owners/budgets.ts"
import { createConversations } from "./owners/conversations.ts"
import { Deliveries } from "./owners/deliveries.ts"
import { hearOwners } from "./owners/events.ts"
import { Inbox } from "./owners/inbox.ts"
import { createLineage } from "./owners/lineage.ts"
import { hint, openJobs } from "./owners/system-prompt.ts"
import { allActors } from "./person/actors.ts"
import { registerCopy } from "./person/copies.ts"
import { inspectJobs } from "./person/inspection.ts"
import { loadedLine } from "./person/loaded.ts"
import { serveTerminal } from "./person/terminal.ts"
import { createTitles } from "./person/titles.ts"
import { createToasts, logRequests } from "./person/toasts.ts"
import type { Claims } from "./records/claims.ts"
import { type Holder, isOfThisProcess, takeLease } from "./records/lease.ts"
import { createRecovery, type RecoveryOptions, type Waiting } from "./records/recovery.ts"
import { JobStore } from "./records/store.ts"
import { JOB_TOOLS, type JobTool, jobTools } from "./tools/index.ts"
import { StartsUnderWay } from "./tools/starts.ts"
import { wordsOf } from "./util/error-words.ts"
import { within } from "./util/within.ts"
import type { Worktrees } from "./worktrees/worktrees.ts"

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
  /** Where opencode lets sessions move from one directory to another. Default: every owner's jobs are here. */
  owners?: Owners
}

type Owners = Pick<RecoveryOptions, "isHere" | "left" | "onLeft">

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
  const { host, directory, given, endsWithTurn, turnsOutlivePlugin, owners = {} } = settings
  const { options, problems: wrongOptions, noStarts } = readOptions(given)
  const copy = registerCopy(directory, import.meta.url)
  for (const problem of wrongOptions) host.problems.add(problem)
  if (copy.problem !== undefined) host.problems.add(copy.problem)
  const parts = assemble({ host, directory, options, noStarts, turnsOutlivePlugin, owners })
  const { log } = parts.host

  /** A terminal that is just starting loses its toasts: a message says that a person is there to see them. */
  const unseen: string[] = []
  let isSeen = false

  function tell(problems: readonly string[]): void {
    for (const problem of problems) void log("warn", problem)
    if (isSeen) parts.toasts.problems(problems)
    else unseen.push(...problems)
  }

  /** Those that are there are told together, whoever has been seen by then. */
  function tellProblems(): void {
    const known: string[] = []
    let hear = (problem: string): void => void known.push(problem)
    host.problems.subscribe((problem) => hear(problem))
    hear = (problem) => tell([problem])
    tell(known)
  }

  /** What opencode loads for a child leaves that to the instance that started it. */
  async function lookAfterWorktrees(): Promise<void> {
    if (parts.isolation.isChilds(directory)) return
    void parts.isolation.tidy().catch((error) => log("warn", `worktrees were not tidied: ${wordsOf(error)}`))
    try {
      const recovered = await parts.isolation.recover(directory)
      const words = recoveredWords(recovered)
      if (words === undefined) return
      const isWhole = recovered.type !== "undone" || recovered.changed.length === 0
      if (isWhole) void log("info", words)
      else tell([words])
    } catch (error) {
      void log("warn", `an agents_apply that was interrupted could not be ended: ${wordsOf(error)}`)
    }
  }

  // opencode answers its plugins only once they are loaded, so nothing here may be waited for.
  const beginning = setTimeout(() => {
    void log("info", loadedLine(options))
    tellProblems()
    void parts.recovery.everybody()
    void lookAfterWorktrees()
  }, 0)

  return {
    tools: parts.tools,
    hear(event) {
      if (event.type === "message.stored") {
        isSeen = true
        parts.toasts.problems(unseen.splice(0))
      }
      parts.hear(event)
    },
    async hintFor(session) {
      const depth = await parts.lineage.depthOf(session)
      return depth !== undefined && depth < options.depth ? hint(endsWithTurn) : undefined
    },
    openJobs: (session) => openJobs(parts.inbox.open(session), parts.now()),
    async stop() {
      // An instance that opencode replaces at once begins nothing that would outlive it.
      clearTimeout(beginning)
      await parts.stop()
      copy.remove()
    },
  }
}

export type AssemblyOptions = {
  host: Host
  directory: string
  options: Options
  /** Why no job may start, where that is so. */
  noStarts?: string | undefined
  turnsOutlivePlugin?: boolean
  owners?: Owners
  /** Default: this process. */
  holder?: Holder
  /** Default: with markers in this user's state folder. */
  claims?: Claims
  /** Default: those of this user, in the folder where they are kept. */
  worktrees?: Worktrees
  /** Epoch milliseconds. Default: `Date.now`. */
  now?: () => number
  /** Told of defects. Default: opencode's log is. */
  reportError?: (error: unknown) => void
}

/** All parts of the product, wired. Nothing has begun: it hears of what happens and its tools can be called. */
export function assemble({ directory, options, now = Date.now, ...settings }: AssemblyOptions) {
  const host = plainSpoken(settings.host)
  const { concurrency, notify, notifySeconds, recover } = options
  const {
    holder = takeLease(),
    reportError = (error: unknown) => void host.log("error", `internal error: ${wordsOf(error)}`),
  } = settings

  const ledger = new Ledger(reportError)
  const store = new JobStore(host, holder, settings.claims && { claims: settings.claims })
  const turns = new Turns(host)
  const toasts = createToasts({
    // Where opencode shows no toasts, its terminal does, as far as there is one.
    host: { toast: host.toast ?? ((toast: Toast) => terminal.toast(toast)) },
    records: ledger,
    reportError,
  })
  const endLog = host.toast ? () => {} : logRequests({ host, records: ledger })
  const isolation = new Isolation({ host, records: ledger, worktrees: settings.worktrees })
  const endLeaving = leaveAtEnd({ host, records: ledger, isolation })
  const effects = childEffects({
    host,
    turns,
    store,
    records: ledger,
    isolation,
    warn: toasts.show,
    jobTools: JOB_TOOLS,
    runItems: (child, signal) => items.run(child, signal),
    runCheck: createChecks({ host, store, directory, now }).runCheck,
  })
  const troupe = createTroupe({ ledger, effects, concurrency, now, reportError })
  const { budget } = options
  const budgets = new Budgets({ troupe, budget, problem: settings.noStarts, show: toasts.show, reportError })
  const notesOn = (records: readonly JobRecord[]) =>
    budgets.notes(records, (record) => inbox.isDelivered(record))
  const inbox = new Inbox(troupe, store, now)
  const lineage = createLineage(host, ledger)
  const deliveries = new Deliveries({
    host,
    troupe,
    inbox,
    notesOn,
    notify,
    notifySeconds,
    now,
    reportError,
  })
  const starts = new StartsUnderWay()
  const watch = watchChildren(troupe, {
    host,
    now,
  })
  const conversations = createConversations(host, inbox, now)
  const hearOwner = hearOwners({ show: toasts.show, troupe, inbox, deliveries })
  const recovery = createRecovery({
    host,
    troupe,
    inbox,
    store,
    recover,
    checkFor,
    refusalToLoad: (job) => refusalToLoad(isolation, job),
    hold: (owner, children) => holdToOwner(host, owner, children),
    finishBegun: (owner, messages) => deliveries.finishBegun(owner, messages),
    ...settings.owners,
    isTakenOver: (lease) => settings.turnsOutlivePlugin === true && isOfThisProcess(lease),
    onTakenOver(session) {
      deliveries.takeOver(session)
      watch.takeOver(session)
    },
    onWaiting: showWaiting,
    onOver: (owner) => dependents.look(owner),
    now,
  })
  const items = createItems({
    host,
    troupe,
    recovery,
    hold: async (owner, child) => {
      const [held] = await holdToOwner(host, owner, [child])
      return held ?? { ok: true, value: undefined }
    },
    now,
  })
  const messenger = createMessenger({
    isolation,
    troupe,
    host,
    turns,
    store,
    inbox,
    budgets,
    options,
    now,
  })
  const dependents = followDependents({
    records: ledger,
    messenger,
    warn: (message) => void host.log("warn", message),
  })
  // opencode may delete a child with its owner, and tell of that one alone.
  ledger.onForgotten(({ session, attempts = [] }) => {
    for (const each of [session, ...attempts.map((attempt) => attempt.session ?? "")])
      void removeResults(each)
  })
  const actors = () =>
    allActors(troupe.actors(), {
      turns: () => turns.actors(),
      deliveries: () => deliveries.actors(),
      budgets: () => budgets.actors(),
      writers: () => store.actors(),
      jobOf: (session) => ledger.bySession(session),
    })
  const titles = createTitles(host)
  const inspection = inspectJobs({
    host,
    isolation,
    toasts,
    troupe,
    actors,
    budgets: (job) => budgets.of(job),
    messenger,
    turns,
    options,
    directory,
    titles,
    now,
  })
  const terminal = serveTerminal({ host, troupe, messenger, turns, budgets, link: inspection.link })
  const tools = jobTools({
    isolation,
    troupe,
    host,
    messenger,
    inbox,
    lineage,
    budgets,
    recovery,
    dependents,
    starts,
    conversations,
    options,
    inspectCommand: () => inspectCommand,
    now,
  })
  store.follow(troupe)
  const endHolding = holdAgainOnChange({ host, records: ledger, store })

  async function showWaiting({ owner, count }: Waiting): Promise<void> {
    const session = await host.session(owner)
    toasts.waiting(count, session.ok ? session.value.title : undefined)
    const what =
      count === 1
        ? "1 result of an earlier opencode is waiting"
        : `${count} results of an earlier opencode are waiting`
    void host.log("info", `${what} in ${owner}, to be delivered when that session is next used`)
  }

  return {
    host,
    now,
    troupe,
    inbox,
    lineage,
    budgets,
    store,
    turns,
    toasts,
    starts,
    recovery,
    isolation,
    messenger,
    dependents,
    tools,
    hear(event: HostEvent): void {
      turns.hear(event)
      lineage.hear(event)
      starts.hear(event)
      watch.handle(event)
      conversations.hear(event)
      titles.hear(event)
      hearOwner(event)
      if (event.type === "session.deleted") void removeResults(event.session)
    },
    async stop(): Promise<void> {
      recovery.stop()
      endHolding()
      dependents.stop()
      items.stop()
      deliveries.stop()
      budgets.stop()
      toasts.stop()
      endLog()
      const left = endLeaving()
      const inspectorLeft = inspection.stop()
      troupe.stop()
      await Promise.all([
        store.drain(stopTimeout),
        within(stopTimeout, left, () => undefined),
        within(stopTimeout, inspectorLeft, () => undefined),
        within(stopTimeout, terminal.end(), () => undefined),
        // The next instance looks for jobs once: one that came later would be nobody's.
        within<unknown>(stopTimeout, effects.allOpened(), () => undefined),
      ])
      holder.drop()
    },
  }
}

/** What ends a job that an earlier process has left, where opencode must not load its worktree. */
async function refusalToLoad(
  isolation: Isolation,
  { worktree }: Pick<JobRecord, "worktree">,
): Promise<JobError | undefined> {
  if (!worktree || !isolation.isThere(worktree)) return undefined
  try {
    await isolation.assureLoadable(worktree)
    return undefined
  } catch (error) {
    return { kind: "isolation", message: wordsOf(error) }
  }
}

/** Says nothing to people that a terminal would carry out: some of its words are those of models and tools. */
function plainSpoken(host: Host): Host {
  const { toast, serveTerminal: serve } = host
  const plain = (shown: Toast) => ({ ...shown, message: plainLines(shown.message) })
  return {
    ...host,
    ...(toast && { toast: (shown) => toast(plain(shown)) }),
    ...(serve && {
      serveTerminal: async (service) => {
        const served = await serve(service)
        const { ok } = served
        return ok
          ? { ok, value: { ...served.value, toast: (shown) => served.value.toast(plain(shown)) } }
          : served
      },
    }),
    log: (level, message) => host.log(level, oneLine(message)),
  }
}
