import type { Hooks, PluginInput, PluginOptions } from "@opencode-ai/plugin"
import { createHost } from "./host/v1/host.ts"
import { pluginTools, withoutDialect } from "./host/v1/tools.ts"
import { createProduct } from "./product.ts"
import { wordsOf } from "./util/error-words.ts"

/** One instance of the plugin in opencode 1.18, which makes one for each directory. */
export async function server(input: PluginInput, given?: PluginOptions): Promise<Hooks> {
  try {
    return begin(input, given)
  } catch (error) {
    // An opencode of another kind goes on without it.
    console.error(`opencode-troupe: could not start: ${wordsOf(error)}`)
    return {}
  }
}

function begin(input: PluginInput, given: PluginOptions | undefined): Hooks {
  const { client, directory } = input
  const host = createHost(client, directory)
  const product = createProduct({ host, directory, given, endsWithTurn: isRun(), turnsOutlivePlugin: false })
  setTimeout(() => void host.lookAtVersion(), 0)
  return {
    tool: pluginTools(product.tools),
    "tool.definition": async ({ toolID }, output) => {
      if (Object.hasOwn(product.tools, toolID)) withoutDialect(output)
    },
    event: async ({ event: given }) => {
      host.hearTerminal(given)
      const event = host.decoded(given)
      if (event) product.hear(event)
    },
    "experimental.chat.system.transform": async ({ sessionID }, output) => {
      const hint = sessionID === undefined ? undefined : await product.hintFor(sessionID)
      if (hint !== undefined) output.system.push(hint)
    },
    "experimental.session.compacting": async ({ sessionID }, output) => {
      const jobs = product.openJobs(sessionID)
      if (jobs !== undefined) output.context.push(jobs)
    },
    dispose: () => product.stop(),
  }
}

/** Whether this is `opencode run`, which ends when the main turn does. */
const isRun = () => process.argv.slice(1).includes("run")
