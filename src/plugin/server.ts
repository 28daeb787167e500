import type { Hooks, PluginInput, PluginModule, PluginOptions } from "@opencode-ai/plugin"
import { createTroupe } from "../machines/troupe.ts"
import { createChildren } from "./children/effects.ts"
import { createMessenger } from "./children/messenger.ts"
import { watchChildren } from "./children/watch.ts"
import { createHost, wordsOf } from "./host/client.ts"
import { readOptions } from "./options.ts"
import { Inbox } from "./owners/inbox.ts"
import { createLineage } from "./owners/lineage.ts"
import { createNotifier } from "./owners/notify.ts"
import { createOwnerEvents } from "./owners/owner-events.ts"
import { hint, openJobs } from "./owners/system-prompt.ts"
import { inspectJobs } from "./person/inspection.ts"
import { loadedLine } from "./person/loaded.ts"
import { tellPerson } from "./person/toasts.ts"
import { takeLease } from "./records/lease.ts"
import { createRecovery } from "./records/recovery.ts"
import { JobStore } from "./records/store.ts"
import { JOB_TOOLS, jobTools } from "./tools/index.ts"
import { within } from "./util/within.ts"

/** Longest wait at the end for records that are still being written. Milliseconds. */
const disposeLimit = 3_000

/** One instance of the plugin: opencode makes one for each directory. */
async function server(input: PluginInput, given?: PluginOptions): Promise<Hooks> {
  const now = Date.now
  const { options, problems } = readOptions(given)
  const host = createHost(input.client, input.directory)
  const { lease, drop } = takeLease()
  const store = new JobStore(host, lease)
  const children = createChildren({
    host,
    jobTools: JOB_TOOLS,
    metadataFor: (job) => store.newMetadata(job),
    recordOf: ({ owner, id }) => troupe.records.get(owner, id),
  })
  const troupe = createTroupe({
    concurrency: options.concurrency,
    effects: children.effects,
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
  const messenger = createMessenger({ troupe, host, children, store, options, now })
  const inspection = inspectJobs({
    host,
    troupe,
    messenger,
    children,
    options,
    directory: input.directory,
    now,
  })
  store.follow(troupe)

  // opencode answers its plugins only once they are loaded, so nothing here may be waited for.
  setTimeout(() => {
    void host.log("info", loadedLine(options, import.meta.url))
    for (const problem of problems) void host.log("warn", problem)
    void recovery.everybody()
  }, 0)

  /** A terminal that is just starting loses its toasts: a message says that a person is there to see them. */
  const unseen = [...problems]
  function showProblems(): void {
    for (const message of unseen.splice(0)) void host.toast({ message, variant: "warning" })
  }

  return {
    tool: jobTools({ troupe, host, messenger, inbox, lineage, recovery, options, now }),
    event: async ({ event }) => {
      if (event.type === "message.updated") showProblems()
      children.hear(event)
      watch.handle(event)
      ownerEvents.handle(event)
    },
    "experimental.chat.system.transform": async ({ sessionID }, output) => {
      const depth = sessionID === undefined ? undefined : await lineage.depthOf(sessionID)
      if (depth !== undefined && depth < options.depth) output.system.push(hint(isRun()))
    },
    "experimental.session.compacting": async ({ sessionID }, output) => {
      const jobs = openJobs(inbox.open(sessionID), now())
      if (jobs !== undefined) output.context.push(jobs)
    },
    dispose: async () => {
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

/** Whether this is `opencode run`, which ends when the main turn does. */
const isRun = () => process.argv.slice(1).includes("run")

export default { id: "opencode-troupe", server } satisfies PluginModule
