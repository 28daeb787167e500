import type { Hooks, PluginInput, PluginOptions } from "@opencode-ai/plugin"
import type { HostEvent, Tool } from "./host/port.ts"
import { createHost } from "./host/v1/host.ts"
import { type Instance, instances } from "./host/v1/instances.ts"
import { pluginTools, withoutDialect } from "./host/v1/tools.ts"
import { isRun, unattendedDecision } from "./host/v1/unattended.ts"
import { createLoadGuard } from "./isolation/load-guard.ts"
import { createProduct, type Product } from "./product.ts"
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

function begin({ client, directory }: PluginInput, given: PluginOptions | undefined): Hooks {
  const unload = instances.load(directory)
  const host = createHost(client, directory, createLoadGuard())
  let own: Product | undefined
  let leave = () => {}

  function start(): Product {
    if (own) return own
    const product = createProduct({
      host,
      directory,
      given,
      endsWithTurn: isRun(process.argv),
      turnsOutlivePlugin: false,
      owners: { isHere: host.isHere },
    })
    own = product
    leave = instances.enter(directory, product)
    host.hearElsewhere((given) => {
      const event = hear(given)
      if (event) void answerUnattended(event)
    })
    setTimeout(() => void host.lookAtVersion(), 0)
    return product
  }

  function hear(given: object): HostEvent | undefined {
    const event = own && host.decoded(given)
    if (event) own?.hear(event)
    return event
  }

  /** Answers what a child that works elsewhere asks, where no person does. */
  async function answerUnattended(event: HostEvent): Promise<void> {
    const decision = unattendedDecision(process.argv)
    if (decision === undefined || event.type !== "request.opened" || event.request.kind !== "permission")
      return
    const asked = await host.request(event.session, event.request)
    if (asked.ok && asked.value) await host.answer(asked.value, { kind: "decision", decision })
  }

  /** What has the jobs of this session, and of those that it is a child of. */
  async function instanceFor(session: string): Promise<Instance> {
    const home = instances.isAnyLent() ? await host.homeOf(session) : undefined
    return (home !== undefined && home !== directory && instances.of(home)) || start()
  }

  // Where children of another directory work, nothing is to be done but for sessions that a person begins there.
  const { tools } = instances.lenderOf(directory) ?? start()
  const answered = ([name, tool]: [string, Tool]): [string, Tool] => [
    name,
    {
      ...tool,
      run: async (args, call) => {
        const { tools } = await instanceFor(call.place.session)
        return (tools[name] ?? tool).run(args, call)
      },
    },
  ]
  return {
    tool: pluginTools(Object.fromEntries(Object.entries(tools).map(answered))),
    "tool.definition": async ({ toolID }, output) => {
      if (Object.hasOwn(tools, toolID)) withoutDialect(output)
    },
    event: async ({ event: given }) => {
      host.hearTerminal(given)
      hear(given)
    },
    "experimental.chat.system.transform": async ({ sessionID }, output) => {
      const hint =
        sessionID === undefined ? undefined : await (await instanceFor(sessionID)).hintFor(sessionID)
      if (hint !== undefined) output.system.push(hint)
    },
    "experimental.session.compacting": async ({ sessionID }, output) => {
      const jobs = (await instanceFor(sessionID)).openJobs(sessionID)
      if (jobs !== undefined) output.context.push(jobs)
    },
    async dispose() {
      unload()
      leave()
      host.stop()
      await own?.stop()
    },
  }
}
