import { randomUUID } from "node:crypto"
import { join } from "node:path"
import * as z from "zod"
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
 * It asks first, and then looks whether the folder is there in which it is to run: it is called for one that is not.
 */
export async function askToRun(options: Options, call: Call, command: string): Promise<StartPermission> {
  const { builtIn, ...own } = call
  const first = await askThrough(options, call, command)
  // opencode refuses whatever the tools of an instance ask for that a reload has ended: then ours are asked.
  return builtIn && isWordless(first) ? askThrough(options, own, command) : first
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

/** What a tool fails with names why. */
const Failed = z.object({ error: z.unknown() })

const noShell = ({ app }: Pick<Context, "app">) =>
  `opencode ${app.version} has no tool \`shell\`, through which a plugin could ask for the permission to run a check`
