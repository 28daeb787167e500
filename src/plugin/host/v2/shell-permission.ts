import { randomUUID } from "node:crypto"
import { join } from "node:path"
import * as z from "zod"
import { wordsOf } from "../../util/error-words.ts"
import { leadsOutside, moves } from "../folders.ts"
import type { HostEvent, StartPermission } from "../port.ts"
import type { Context } from "./api.ts"
import { type Call, decodeTool } from "./calls.ts"
import { isWordless, refusalIn } from "./children.ts"
import type { Reader } from "./reading.ts"
import { unlessSilent } from "./unless-silent.ts"

type Options = { context: Pick<Context, "tool" | "permission" | "location" | "app">; reader: Reader }

/** `isPut`: a person was asked something in this session. */
type Ask = { session: string; isPut: boolean }

/**
 * A plugin cannot ask for a permission by itself, but opencode's own tool `shell` can, with our tool call as the source.
 * It asks first, and then looks whether the folder is there in which it is to run: it is called for one that is not.
 */
export class ShellPermission {
  readonly #options: Options
  readonly #asks = new Set<Ask>()

  constructor(options: Options) {
    this.#options = options
  }

  /** Takes every event of opencode. */
  hear({ type, session }: HostEvent): void {
    if (type !== "request.opened") return
    for (const ask of this.#asks) if (ask.session === session) ask.isPut = true
  }

  async ask(call: Call, command: string): Promise<StartPermission> {
    const ask: Ask = { session: call.sessionID, isPut: false }
    this.#asks.add(ask)
    try {
      for (const folder of leadsOutside(command, moves, [this.#options.context.location.directory])) {
        // Seen from a folder that is not there, `..` leads elsewhere.
        const moved = await this.#askEither(call, `cd ${quoted(folder)}`, ask)
        if (moved.type !== "granted") return moved
      }
      return await this.#askEither(call, command, ask)
    } finally {
      this.#asks.delete(ask)
    }
  }

  async #askEither(call: Call, command: string, ask: Ask): Promise<StartPermission> {
    const { builtIn, ...own } = call
    const first = await askThrough(this.#options, call, command)
    // opencode refuses whatever the tools of an instance ask for that a reload has ended: then ours are asked.
    const isOfReload = builtIn !== undefined && !ask.isPut && isWordless(first)
    return isOfReload ? askThrough(this.#options, own, command) : first
  }
}

async function askThrough(
  { context, reader }: Options,
  call: Call,
  command: string,
): Promise<StartPermission> {
  const { builtIn, ...own } = call
  const workdir = join(context.location.directory, `.opencode-troupe-${randomUUID()}`)
  try {
    const tools = await (builtIn?.() ?? context.tool.list())
    const shell = reader.read("answer tool.list", () => decodeTool(tools, "shell"))
    if (!shell) return { type: "prevented", reason: noShell(context) }
    await unlessSilent(context, call, shell.execute({ command, workdir }, own))
    return { type: "failed", reason: "its tool `shell` looked for no folder" }
  } catch (thrown) {
    const why = Failed.safeParse(thrown).data?.error ?? thrown
    return wordsOf(why).includes(workdir) ? { type: "granted" } : refusalIn(why)
  }
}

const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`

/** What a tool fails with names why. */
const Failed = z.object({ error: z.unknown() })

const noShell = ({ app }: Pick<Context, "app">) =>
  `opencode ${app.version} has no tool \`shell\`, through which a plugin could ask for the permission to run a check`
