import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { setTimeout as pause } from "node:timers/promises"
import type { PluginInput, PluginModule } from "@opencode-ai/plugin"
import * as z from "zod"
import { callOf, Fault } from "./fault.ts"

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

type Fetch = (request: Request) => Promise<Response>

const Client = z.object({ _client: z.object({ getConfig: z.custom<() => { fetch: Fetch }>() }) })

async function server(input: PluginInput, given: unknown) {
  const options = Options.parse(given)
  const { default: plugin }: { default: PluginModule } = await import(options.plugin)
  const config = Client.parse(input.client)._client.getConfig()
  appendFileSync(options.log, "loaded\n")
  const client = { _client: { getConfig: () => ({ ...config, fetch: spoiled(config.fetch, options) }) } }
  return plugin.server(Object.assign({ ...input }, { client }), options.troupe)
}

function spoiled(real: Fetch, { faults: file, log }: Options): Fetch {
  return async (request) => {
    const call = await callOf(request)
    const fault = read(file).find((each) => each.call === call)
    if (!fault) return real(request)
    appendFileSync(log, `${call}\n`)
    switch (fault.way) {
      case "rejects":
        throw new TypeError("made to reject")
      case "error":
        return Response.json({ name: "UnknownError", data: { message: "made to fail" } }, { status: 500 })
      case "hangs":
        return new Promise(() => {})
      case "late": {
        const answer = await real(request)
        await pause(fault.lateMs)
        return answer
      }
      case "twice": {
        const [, second] = await Promise.all([real(request.clone()), real(request)])
        return second
      }
    }
  }
}

const read = (file: string) =>
  existsSync(file) ? z.array(Fault).parse(JSON.parse(readFileSync(file, "utf8"))) : []

export default { id: "faulty-troupe", server }
