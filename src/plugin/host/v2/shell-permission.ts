import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { wordsOf } from "../../util/error-words.ts"
import { isUnclear, shellCall } from "../commands.ts"
import { leadsOutside, moves } from "../folders.ts"
import type { StartPermission } from "../port.ts"
import type { Context } from "./api.ts"
import { type AskedThrough, reasonIn } from "./asked-through.ts"
import { type Call, decodeTool } from "./calls.ts"
import { refusalIn } from "./children.ts"
import type { Reader } from "./reading.ts"
import { unlessSilent } from "./unless-silent.ts"

type Options = {
  context: Pick<Context, "tool" | "permission" | "location" | "app">
  reader: Reader
  through: AskedThrough
}

/**
 * A plugin cannot ask for a permission by itself, but opencode's own tool `shell` can, with our tool call as the source.
 * It asks first, and then looks whether the folder is there in which it is to run: it is called for one that is not.
 */
export async function askToRun(
  { through, ...options }: Options,
  call: Call,
  command: string,
): Promise<StartPermission> {
  const ask = (asked: string) => through.ask(call, (each) => askThrough(options, each, asked))
  for (const folder of leadsOutside(command, moves, [options.context.location.directory])) {
    // Seen from a folder that is not there, `..` leads elsewhere.
    const moved = await ask(`cd ${quoted(folder)}`)
    if (moved.type !== "granted") return moved
  }
  // opencode reads it as bash would, and a check is run by another shell.
  const read = isUnclear(command) ? await ask(shellCall(command)) : undefined
  return read && read.type !== "granted" ? read : ask(command)
}

async function askThrough(
  { context, reader }: Omit<Options, "through">,
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
    const why = reasonIn(thrown)
    return wordsOf(why).includes(workdir) ? { type: "granted" } : refusalIn(why)
  }
}

const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`

const noShell = ({ app }: Pick<Context, "app">) =>
  `opencode ${app.version} has no tool \`shell\`, through which a plugin could ask for the permission to run a check`
