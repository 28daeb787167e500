import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { wordsOf } from "../../util/error-words.ts"
import type { StartPermission } from "../port.ts"
import type { Context } from "./api.ts"
import { type Call, decodeTool } from "./calls.ts"
import { isWordless, refusalIn } from "./children.ts"
import type { Reader } from "./reading.ts"
import { unlessSilent } from "./unless-silent.ts"

type Options = { context: Pick<Context, "tool" | "permission" | "location" | "app">; reader: Reader }

/**
 * A plugin cannot ask for a permission by itself, but opencode's own tool `shell` can, with our tool call as the source.
 * It asks first and then looks whether the folder is there in which it is to run: it is called for one that is not.
 */
export async function askToRun(options: Options, call: Call, command: string): Promise<StartPermission> {
  const { builtIn: _builtIn, ...own } = call
  // opencode refuses whatever the tools of an instance ask for that a reload has ended: then ours are asked.
  for (const through of [call, own]) {
    const outcome = await askThrough(options, through, command)
    if (!isWordless(outcome) || through === own) return outcome
  }
  return { type: "failed", reason: "opencode asked nobody" }
}

async function askThrough({ context, reader }: Options, call: Call, command: string): Promise<StartPermission> {
  try {
    const { builtIn, ...own } = call
    const tools = await (builtIn?.() ?? context.tool.list())
    const shell = reader.read("answer tool.list", () => decodeTool(tools, "shell"))
    if (!shell) return { type: "prevented", reason: noShell(context) }
    const workdir = join(context.location.directory, `.opencode-troupe-${randomUUID()}`)
    await unlessSilent(context, call, shell.execute({ command, workdir }, own))
    return { type: "failed", reason: "opencode ran it in a folder that is not there" }
  } catch (thrown) {
    console.error("ASK", thrown, JSON.stringify(thrown))
    return isOfFolder(thrown) ? { type: "granted" } : refusalIn(thrown)
  }
}

const isOfFolder = (thrown: unknown) => /Working directory does not exist/.test(wordsOf(thrown))

const noShell = ({ app }: Pick<Context, "app">) =>
  `opencode ${app.version} has no tool "shell", through which a plugin could ask for the permission to run a check`
