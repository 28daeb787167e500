import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { setTimeout as pause } from "node:timers/promises"
import type { PluginInput, PluginModule } from "@opencode-ai/plugin"
import * as z from "zod"
import type { Context, NewTool } from "../../../src/plugin/host/v2/api.ts"
import type { BuiltInTool, Call as ToolCall } from "../../../src/plugin/host/v2/calls.ts"
import { CALLS, type Call, callOf, Fault } from "./fault.ts"

/**
 * Stands between the built plugin and the real opencode, and spoils the calls that it is told to. opencode loads it
 * in the plugin's place, with these options.
 */
const Options = z.object({
  /** The built plugin. */
  plugin: z.string(),
  troupe: z.record(z.string(), z.unknown()),
  /** The file that says which calls are spoiled at the moment, as JSON; there is none while all is well. */
  faults: z.string(),
  /** Gets a line with the name of each spoiled call, and `loaded` for each instance of the plugin. */
  log: z.string(),
})
type Options = z.infer<typeof Options>

type Plugin = { default: PluginModule & { setup(context: Context): Promise<() => Promise<void>> } }

/** In 1.18 every call is a request. */
async function server(input: PluginInput, given: unknown) {
  const options = Options.parse(given)
  const { default: plugin }: Plugin = await import(options.plugin)
  const config = Client.parse(input.client)._client.getConfig()
  appendFileSync(options.log, "loaded\n")
  const fetch = spoiledFetch(config.fetch, options)
  const client = { _client: { getConfig: () => ({ ...config, fetch }) } }
  return plugin.server(Object.assign({ ...input }, { client }), options.troupe)
}

type Fetch = (request: Request) => Promise<Response>

const Client = z.object({ _client: z.object({ getConfig: z.custom<() => { fetch: Fetch }>() }) })

function spoiledFetch(real: Fetch, options: Options): Fetch {
  return async (request) =>
    spoiled(await callOf(request), options, {
      run: () => real(request.clone()),
      error: () =>
        Response.json({ name: "UnknownError", data: { message: "made to fail" } }, { status: 500 }),
    })
}

/** In 2.x calls are functions of the context. */
async function setup(context: Context): Promise<() => Promise<void>> {
  const options = Options.parse(context.options)
  const { default: plugin }: Plugin = await import(options.plugin)
  appendFileSync(options.log, "loaded\n")
  const { session, storage, agent, model, permission, tool } = context
  const faulty = {
    ...context,
    options: options.troupe,
    session: spoiledIn("session", session, options),
    storage: spoiledIn("storage", storage, options),
    agent: spoiledIn("agent", agent, options),
    model: spoiledIn("model", model, options),
    permission: spoiledIn("permission", permission, options),
    tool: {
      async list() {
        const tools = await spoiled("tool.list", options, { run: () => tool.list() })
        return BuiltInTools.parse(tools).map((each) =>
          each.id === "subagent"
            ? { ...each, execute: spoiledCall("subagent", each.execute, options) }
            : each,
        )
      },
      transform: (change: Parameters<typeof tool.transform>[0]) =>
        tool.transform((tools) => change({ add: (each) => tools.add(withFaultyProgress(each, options)) })),
    },
  }
  return plugin.setup(faulty)
}

function spoiledIn<Part extends object>(name: string, part: Part, options: Options): Part {
  return new Proxy(part, {
    get(target, key) {
      const real: unknown = Reflect.get(target, key)
      const call = CALLS[2].find((each) => each === `${name}.${String(key)}`)
      if (typeof real !== "function") return real
      const run = real.bind(target)
      return call ? spoiledCall(call, run, options) : run
    },
  })
}

const spoiledCall =
  <Given extends unknown[], Answer>(
    call: Call,
    run: (...given: Given) => Promise<Answer>,
    options: Options,
  ): ((...given: Given) => Promise<Answer>) =>
  (...given) =>
    spoiled(call, options, { run: () => run(...given) })

const withFaultyProgress = (tool: NewTool, options: Options): NewTool => ({
  ...tool,
  execute(given, call) {
    const real = RealCall.parse(call)
    return tool.execute(given, { ...real, progress: spoiledCall("progress", real.progress, options) })
  },
})

const BuiltInTools = z.custom<BuiltInTool[]>()
const RealCall = z.custom<ToolCall>()

/** @param error what opencode answers when it fails; default: it rejects, with an error that has a tag alone */
async function spoiled<Answer>(
  call: Call,
  { faults: file, log }: Options,
  { run, error }: { run(): Promise<Answer>; error?(): Answer },
): Promise<Answer> {
  const fault = read(file).find((each) => each.call === call)
  if (!fault) return run()
  appendFileSync(log, `${call}\n`)
  switch (fault.way) {
    case "rejects":
      throw new TypeError("made to reject")
    case "error":
      if (error) return error()
      throw Object.assign(new Error(), { _tag: "MadeToFailError" })
    case "hangs":
      return new Promise(() => {})
    case "late": {
      const answer = await run()
      await pause(fault.lateMs)
      return answer
    }
    case "twice": {
      const [, second] = await Promise.all([run(), run()])
      return second
    }
  }
}

const read = (file: string) =>
  existsSync(file) ? z.array(Fault).parse(JSON.parse(readFileSync(file, "utf8"))) : []

export default { id: "opencode-troupe", server, setup }
