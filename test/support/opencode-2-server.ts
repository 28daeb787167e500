import * as z from "zod"
import { freePort } from "./free-port.ts"
import { opencode2Binary } from "./opencode-2-binary.ts"
import { opencodeEnv } from "./opencode-env.ts"
import { type ProcessGroup, startGroup } from "./process-group.ts"

/** Of each server that is started here. */
export const password2 = "secret"
const authorization = `Basic ${btoa(`opencode:${password2}`)}`

/** Starts `opencode serve` of opencode 2 on a free port. */
export async function serve2(
  cwd: string,
  home: string,
  env: Record<string, string> = {},
): Promise<{ group: ProcessGroup; url: string }> {
  const binary = opencode2Binary()
  if (binary === undefined) throw new Error("There is no opencode 2 for this machine: set OPENCODE2")
  const group = await startGroup(binary, ["serve", "--port", `${await freePort()}`], {
    cwd,
    env: opencodeEnv(home, { OPENCODE_PASSWORD: password2, ...env }),
  })
  try {
    const [, url = ""] = await group.waitForOutput(/listening on (\S+)/)
    return { group, url }
  } catch (error) {
    await group.end("SIGKILL", 0)
    throw error
  }
}

/** The HTTP API of an opencode 2. */
export class Api {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** The `data` of its answer. */
  async ask(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.url}/api/${path}`, {
      method,
      headers: { authorization, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === "" ? undefined : Answer.parse(JSON.parse(text)).data
  }

  /** Hears of every event of every location until `signal` aborts. Returns once events arrive. */
  async listen(hear: (event: unknown) => void, signal: AbortSignal): Promise<void> {
    const { body } = await fetch(`${this.url}/api/event`, { headers: { authorization }, signal })
    if (!body) throw new Error("opencode closed its event stream at once")
    const lines = linesOf(body.pipeThrough(new TextDecoderStream()))
    await lines.next()
    const read = async () => {
      for await (const line of lines) if (line.startsWith("data:")) hear(JSON.parse(line.slice(5)))
    }
    // A killed opencode breaks its stream: those who wait for an event will say which one is missing.
    read().catch(() => {})
  }
}

const Answer = z.object({ data: z.unknown() })

async function* linesOf(stream: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ""
  for await (const text of stream) {
    const lines = `${rest}${text}`.split("\n")
    rest = lines.pop() ?? ""
    yield* lines
  }
}
