import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { wordsOf } from "../../util/error-words.ts"
import type { PermissionRule, StartPermission } from "../port.ts"
import { verdict } from "../rules.ts"
import type { Context } from "./api.ts"
import { type AskedThrough, reasonIn } from "./asked-through.ts"
import { type Call, decodeTool } from "./calls.ts"
import { refusalIn } from "./children.ts"
import type { Reader } from "./reading.ts"
import { unlessSilent } from "./unless-silent.ts"

type Options = {
  context: Pick<Context, "tool" | "permission" | "app">
  reader: Reader
  through: AskedThrough
  /** What the agent of a call may do in its session. */
  rulesOf(call: Call): Promise<PermissionRule[]>
}

/**
 * opencode's own tool `edit` asks before it looks for the text that it is to replace: it is called for a text that no
 * file has, and changes nothing. It does not get that far with a file that is not there yet: such a file needs a rule
 * that permits it.
 */
export function askToEdit(
  { context, reader, through, rulesOf }: Options,
  call: Call,
  root: string,
  files: readonly string[],
): Promise<StartPermission> {
  return through.ask(call, async (call) => {
    const unpermitted = await newAndNotAllowed()
    if (unpermitted) return unpermitted
    for (const file of files.map((file) => join(root, file)).filter((file) => existsSync(file))) {
      const asked = await askFor(call, file)
      if (asked.type !== "granted") return asked
    }
    return { type: "granted" }
  })

  async function newAndNotAllowed(): Promise<StartPermission | undefined> {
    const isNew = files.filter((file) => !existsSync(join(root, file)))
    if (isNew.length === 0) return undefined
    const rules = await rulesOf(call)
    for (const file of isNew) {
      const action = verdict(rules, { permission: "edit", pattern: file })
      if (action === "deny") return { type: "denied" }
      if (action === "ask") return { type: "prevented", reason: askedFor(file) }
    }
    return undefined
  }

  async function askFor(call: Call, path: string): Promise<StartPermission> {
    const { builtIn, ...own } = call
    const text = `opencode-troupe asks whether it may change this file ${randomUUID()}`
    try {
      const tools = await (builtIn?.() ?? context.tool.list())
      const edit = reader.read("answer tool.list", () => decodeTool(tools, "edit"))
      if (!edit) return { type: "prevented", reason: `opencode ${context.app.version} has no tool \`edit\`` }
      await unlessSilent(context, call, edit.execute({ path, oldString: text, newString: "" }, own))
      return { type: "failed", reason: "its tool `edit` found a text that is not there" }
    } catch (thrown) {
      const why = reasonIn(thrown)
      return wordsOf(why).includes("Could not find oldString") ? { type: "granted" } : refusalIn(why)
    }
  }

  function askedFor(file: string): string {
    return (
      `opencode ${context.app.version} lets no plugin ask for the permission to create a file, and the rules say to ask ` +
      `for ${file}: allow \`edit\` for it in the configuration, or copy it from the worktree`
    )
  }
}
