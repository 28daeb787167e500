import type { Hooks, PluginInput, PluginModule, PluginOptions } from "@opencode-ai/plugin"
import { inspectCommand } from "../inspector/discovery/command.ts"
import { createTroupe } from "../machines/troupe.ts"
import { childEffects } from "./children/effects.ts"
import { createMessenger } from "./children/messenger.ts"
import { Turns } from "./children/turns.ts"
import { watchChildren } from "./children/watch.ts"
import { createHost } from "./host/client.ts"
import { decodeEvent } from "./host/events.ts"
import { pluginTools } from "./host/plugin-tools.ts"
import { readOptions } from "./options.ts"
import { Deliveries } from "./owners/deliveries.ts"
import { hearOwners } from "./owners/events.ts"
import { Inbox } from "./owners/inbox.ts"
import { createLineage } from "./owners/lineage.ts"
import { hint, openJobs } from "./owners/system-prompt.ts"
import { inspectJobs } from "./person/inspection.ts"
import { createToasts } from "./person/toasts.ts"
import { takeLease } from "./records/lease.ts"
import { createRecovery } from "./records/recovery.ts"
import { JobStore } from "./records/store.ts"
import { JOB_TOOLS, jobTools } from "./tools/index.ts"
import { StartsUnderWay } from "./tools/starts.ts"
import { wordsOf } from "./util/error-words.ts"
import { version } from "./util/version.ts"
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
  const turns = new Turns(host)
  const effects = childEffects({
    host,
    turns,
    jobTools: JOB_TOOLS,
    storedFor: async (job) => store.newStored(job),
    recordEnd: async (record) => store.save(record),
    recordOf: ({ owner, id }) => troupe.records.get(owner, id),
  })
  const reportError = (error: unknown) => void host.log("error", `internal error: ${wordsOf(error)}`)
  const troupe = createTroupe({ concurrency: options.concurrency, effects, now, reportError })
  const inbox = new Inbox(troupe, store)
  const lineage = createLineage(host)
  const { recover, notify } = options
  const deliveries = new Deliveries({ host, troupe, inbox, notify, now, reportError })
  const recovery = createRecovery({ host, troupe, inbox, store, recover, onFound: () => {}, now })
  const starts = new StartsUnderWay()
  const watch = watchChildren(troupe, now)
  const hearOwner = hearOwners({ host, troupe, inbox, deliveries, lineage })
  const toasts = createToasts({ host, troupe, reportError })
  const messenger = createMessenger({ troupe, host, turns, store, options, now })
  const inspection = inspectJobs({
    host,
    toasts,
    troupe,
    messenger,
    turns,
    options,
    directory: input.directory,
    now,
  })
  store.follow(troupe)

  // opencode answers its plugins only once they are loaded, so nothing here may be waited for.
  setTimeout(() => {
    void host.log("info", `version ${version} is loaded`)
    for (const problem of problems) void host.log("warn", problem)
    void recovery.everybody()
  }, 0)

  /** A terminal that is just starting loses its toasts: a message says that a person is there to see them. */
  const unseen = [...problems]
  const showProblems = () => toasts.problems(unseen.splice(0))

  return {
    tool: pluginTools(
      jobTools({
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
    ),
    event: async ({ event: given }) => {
      const event = decodeEvent(given)
      if (!event) return
      if (event.type === "message.stored") showProblems()
      turns.hear(event)
      starts.hear(event)
      watch.handle(event)
      hearOwner(event)
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
      deliveries.stop()
      toasts.stop()
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
