import type { Inspector, Source, Titles } from "../../inspector/index.ts"
import { slotsIn } from "../../machines/limits.ts"
import { hasEnded } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Messenger } from "../children/messenger.ts"
import type { Turns } from "../children/turns.ts"
import type { Host } from "../host/port.ts"
import type { Isolation } from "../isolation/isolation.ts"
import { Options } from "../options.ts"
import { textOf } from "../records/texts.ts"
import { wordsOf } from "../util/error-words.ts"
import { shared } from "../util/process-wide.ts"
import { conversationOf, filesOf } from "./conversation.ts"
import { requestsOf } from "./requests.ts"
import type { Toasts } from "./toasts.ts"

export type InspectionOptions = {
  host: Host
  isolation: Pick<Isolation, "diffs">
  toasts: Pick<Toasts, "link">
  troupe: Troupe
  /** The tree of all actors. */
  actors: Source["actors"]
  budgets: NonNullable<Source["budgets"]>
  messenger: Pick<Messenger, "send">
  turns: Pick<Turns, "draftOf" | "partOf">
  options: Options
  directory: string
  titles: Titles
  now: () => number
}

type Settings = Options["inspector"]
type Shared = {
  running?: Promise<Inspector> | undefined
  /** Those of the project that started it. */
  settings?: Settings
  projects: number
}

/** The process has one inspector, however many projects it serves. */
const inspectors = shared<Shared>("inspector", () => ({ projects: 0 }))

/**
 * Runs the inspector as long as there are jobs to show. It starts silently for the jobs of an earlier process, which
 * nobody has asked for yet; the first job of this process shows the person a link.
 */
export function inspectJobs({
  host,
  isolation,
  toasts,
  troupe,
  actors,
  budgets,
  messenger,
  turns,
  options,
  directory,
  titles,
  now,
}: InspectionOptions) {
  const source: Source = {
    name: directory,
    concurrency: slotsIn(options.concurrency),
    readOnly: options.inspector.readOnly,
    records: troupe.records,
    history: troupe.history,
    actors,
    budgets,
    cancel: troupe.cancel,
    titles,
    draft: ({ session }) => turns.draftOf(session),
    readText: (record) => textOf(host, record),
    conversation: (record, after) => conversationOf({ host, turns }, record, after),
    files: (record) => filesOf({ host, isolation }, record),
    requests: (record) => requestsOf(host, record),
    async answer(request, answer) {
      const answered = await host.answer(request, answer)
      if (!answered.ok) throw new Error(answered.error.message)
      return answered.value
    },
    async send(job, message) {
      const record = troupe.records.get(job.owner, job.id)
      if (!record) throw new Error(`no job ${job.id}`)
      await messenger.send(record, message)
    },
  }
  let joining: Promise<Joined> | undefined
  let leave: (() => Promise<void>) | undefined
  let isOver = false
  const unsubscribe = troupe.records.subscribe((record) => {
    // A job of this process has a record long before it ends, so this one is of an earlier process.
    if (hasEnded(record)) {
      joining ??= joinSilently()
      return
    }
    unsubscribe()
    void announce()
  })
  if (!options.inspector.enabled) unsubscribe()

  async function joinSilently(): Promise<Joined> {
    const joined = await join()
    if ("problem" in joined) void host.log("warn", joined.problem)
    return joined
  }

  async function announce(): Promise<void> {
    const silent = await joining
    if (isOver) return
    if (!silent || "problem" in silent) joining = join()
    const joined = await joining
    if (!joined || isOver) return
    if ("problem" in joined) return host.problems.add(joined.problem)
    const { command } = joined.inspector
    const link = joined.inspector.link()
    // Others on this machine may read the log: it never holds a link.
    void host.log("info", `the inspector is running; for a link run: ${command.replaceAll('"', "'")}`)
    for (const name of unheeded(options.inspector, joined.settings)) {
      host.problems.add(
        `inspector.${name} has no effect here: another project of this opencode started the inspector first`,
      )
    }
    toasts.link(link)
  }

  async function join(): Promise<Joined> {
    inspectors.projects++
    if (!inspectors.running) {
      inspectors.running = start(source)
      inspectors.settings = options.inspector
    }
    const { running, settings = options.inspector } = inspectors
    try {
      const inspector = await running
      const remove = inspector.add(source)
      leave = async () => {
        inspectors.projects--
        if (inspectors.projects > 0) return remove()
        // Not removed before: open tabs go on showing what was, as they say they do.
        inspectors.running = undefined
        await inspector.stop()
      }
      return { inspector, settings }
    } catch (error) {
      if (inspectors.running === running) inspectors.running = undefined
      inspectors.projects--
      return { problem: `the inspector did not start: ${wordsOf(error)}` }
    }
  }

  async function start(first: Source): Promise<Inspector> {
    // Loaded only when it is needed.
    const { startInspector } = await import("../../inspector/index.ts")
    return startInspector({
      source: first,
      options: options.inspector,
      now,
      reportError: (error) => void host.log("error", `the inspector: ${wordsOf(error)}`),
    })
  }

  return {
    /** A fresh one, for which the inspector starts if it does not run. @throws Error that says why there is none */
    async link(): Promise<string> {
      if (!options.inspector.enabled)
        throw new Error("The inspector is switched off: inspector.enabled is false.")
      if (isOver) throw new Error("opencode is closing this project.")
      joining ??= join()
      const joined = await joining
      if ("problem" in joined) {
        joining = undefined
        throw new Error(joined.problem)
      }
      return joined.inspector.link()
    },
    /** Removes this project from the inspector, which stops with its last one. */
    async stop(): Promise<void> {
      unsubscribe()
      isOver = true
      await joining
      const leaveOnce = leave
      leave = undefined
      await leaveOnce?.()
    },
  }
}

/** The inspector with the settings that hold for it, or why it did not start. */
type Joined = { inspector: Inspector; settings: Settings } | { problem: string }

const unset: Settings = Options.parse({}).inspector

/** The settings in which a project differs from the one that started the inspector, where only one can hold. */
function unheeded(own: Settings, first: Settings) {
  const names = ["port", "host", "token"] as const
  return names.filter((name) => own[name] !== unset[name] && own[name] !== first[name])
}
