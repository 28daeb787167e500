import type { Hooks, PluginInput, PluginModule, PluginOptions } from "@opencode-ai/plugin"
import { createTroupe } from "../machines/troupe.ts"
import { childEffects } from "./children.ts"
import { HINT } from "./hint.ts"
import { createHost, wordsOf } from "./host.ts"
import { Inbox } from "./inbox.ts"
import { thisProcess } from "./lease.ts"
import { readOptions } from "./options.ts"
import { createLineage } from "./owners.ts"
import { JobStore } from "./store.ts"
import { JOB_TOOLS, jobTools } from "./tools/index.ts"
import { watchChildren } from "./watch.ts"

async function server(input: PluginInput, given?: PluginOptions): Promise<Hooks> {
  const { options, problems } = readOptions(given)
  const host = createHost(input.client, input.directory)
  const store = new JobStore(host, thisProcess())
  const lineage = createLineage(host)
  const troupe = createTroupe({
    concurrency: options.concurrency,
    effects: childEffects({ host, jobTools: JOB_TOOLS, metadataFor: (job) => store.newMetadata(job) }),
    reportError: (error) => void host.log("error", `a defect of opencode-troupe: ${wordsOf(error)}`),
  })
  const watch = watchChildren(troupe)
  store.follow(troupe)
  const inbox = new Inbox(troupe.records, store)
  for (const problem of problems) complain(problem)

  function complain(problem: string) {
    void host.log("warn", problem)
    void host.toast({ message: problem, variant: "warning" })
  }

  return {
    tool: jobTools({ troupe, host, inbox, lineage, options, now: Date.now }),
    event: async ({ event }) => watch.handle(event),
    "experimental.chat.system.transform": async ({ sessionID }, output) => {
      const depth = sessionID === undefined ? undefined : await lineage.depthOf(sessionID)
      if (depth !== undefined && depth < options.depth) output.system.push(HINT)
    },
    dispose: async () => {
      await store.settled()
      troupe.stop()
    },
  }
}

export default { id: "opencode-troupe", server } satisfies PluginModule
