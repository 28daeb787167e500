import type { Inspector, Source } from "../inspector/index.ts"
import type { Troupe } from "../machines/troupe.ts"
import type { Children } from "./children.ts"
import { type Host, wordsOf } from "./host.ts"
import type { Messenger } from "./messages.ts"
import type { Options } from "./options.ts"
import { shared } from "./shared.ts"

/** How long the link is shown. Milliseconds. */
const linkShownMs = 15_000

export type InspectionOptions = {
  host: Host
  troupe: Troupe
  messenger: Messenger
  children: Pick<Children, "draftOf">
  options: Options
  directory: string
  now: () => number
}

/** The process has one inspector, however many projects it serves. */
const inspectors = shared<{ running?: Promise<Inspector> | undefined; projects: number }>(
  "inspector",
  () => ({
    projects: 0,
  }),
)

/** Starts the inspector with the first job, and shows the person a link to it. */
export function inspectJobs({
  host,
  troupe,
  messenger,
  children,
  options,
  directory,
  now,
}: InspectionOptions) {
  const source: Source = {
    name: directory,
    concurrency: options.concurrency,
    readOnly: options.inspector.readOnly,
    records: troupe.records,
    history: troupe.history,
    actors: troupe.actors,
    cancel: troupe.cancel,
    draft: ({ session }) => children.draftOf(session),
    async send(job, message) {
      const record = troupe.records.get(job.owner, job.id)
      if (!record) throw new Error(`no job ${job.id}`)
      await messenger.send(record, message)
    },
  }
  let leave: (() => Promise<void>) | undefined
  let isOver = false
  const unsubscribe = troupe.records.subscribe(() => {
    unsubscribe()
    void join()
  })
  if (!options.inspector.enabled) unsubscribe()

  async function join(): Promise<void> {
    inspectors.projects++
    inspectors.running ??= start(source)
    const { running } = inspectors
    try {
      const inspector = await running
      const remove = inspector.add(source)
      leave = () => {
        remove()
        return end(inspector)
      }
      // The project was closed while its inspector was starting.
      if (isOver) return await leave()
      const link = inspector.link()
      void host.log("info", `the inspector: ${link} (opens once; a fresh one: npx opencode-troupe inspect)`)
      void host.toast({ message: `Watch the jobs: ${link}`, variant: "info", duration: linkShownMs })
    } catch (error) {
      if (inspectors.running === running) inspectors.running = undefined
      inspectors.projects--
      const message = `the inspector did not start: ${wordsOf(error)}`
      void host.log("warn", message)
      void host.toast({ message, variant: "warning" })
    }
  }

  async function start(first: Source): Promise<Inspector> {
    // Its code is loaded when it is first needed.
    const { startInspector } = await import("../inspector/index.ts")
    return startInspector({
      source: first,
      options: options.inspector,
      now,
      reportError: (error) => void host.log("error", `the inspector: ${wordsOf(error)}`),
    })
  }

  return {
    /** Resolves once what this project had of the inspector is gone. */
    async stop(): Promise<void> {
      unsubscribe()
      isOver = true
      await leave?.()
    },
  }
}

async function end(inspector: Inspector): Promise<void> {
  inspectors.projects--
  if (inspectors.projects > 0) return
  inspectors.running = undefined
  await inspector.stop()
}
