import { statSync } from "node:fs"
import { dirname, join } from "node:path"
import type { ToolContext, ToolDefinition } from "@opencode-ai/plugin"
import * as z from "zod"
import { wordsOf } from "../../util/error-words.ts"
import { unlessAborted } from "../../util/unless-aborted.ts"
import { commandsIn } from "../commands.ts"
import { leadsOutside, moves, nameOf } from "../folders.ts"
import type { StartPermission, Tool } from "../port.ts"

/** The tools in the shape in which opencode 1.18 takes them. */
export function pluginTools(tools: Record<string, Tool>): Record<string, ToolDefinition> {
  return Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, pluginTool(tool)]))
}

/** What opencode hands to the hook `tool.definition`, beyond what its types show. */
const Definition = z.object({ jsonSchema: z.record(z.string(), z.unknown()) })

/**
 * Takes the name of the schema's dialect out of what a model is shown of a tool: opencode adds it, no model needs it,
 * and each request pays for it. Does nothing where there is no such field.
 */
export function withoutDialect(definition: object): void {
  const { data } = Definition.safeParse(definition)
  if (!data) return
  const { $schema: _, ...jsonSchema } = data.jsonSchema
  Object.assign(definition, { jsonSchema })
}

function pluginTool({ description, arguments: given, run }: Tool): ToolDefinition {
  return {
    description,
    args: Object.fromEntries(
      Object.entries(given).map(([name, { schema, isOptional }]) => {
        // Shown to the model as it is, but never checked by opencode, whose refusal would not name the field.
        const field = z.unknown().meta(schema)
        return [name, isOptional ? field.optional() : field]
      }),
    ),
    execute: (args, context) =>
      run(args, {
        place: {
          session: context.sessionID,
          message: context.messageID,
          call: CallID.safeParse(context).data?.callID,
        },
        agent: context.agent,
        signal: context.abort,
        askToStart: (agent, description) => {
          const asked = () =>
            context.ask({
              permission: "task",
              patterns: [agent],
              always: ["*"],
              metadata: { description, subagent_type: agent },
            })
          return decided(context.abort, asked)
        },
        askToEdit: (_root, files) => {
          // Within the repository, as opencode's own tool names them.
          const asked = () =>
            context.ask({
              permission: "edit",
              patterns: [...files],
              always: ["*"],
              metadata: { filepath: files.join(", "), diff: "" },
            })
          return decided(context.abort, asked)
        },
        askToRun: async (command) => {
          for (const asked of requestsToRun(command, context)) {
            const outcome = await decided(context.abort, () => context.ask(asked))
            if (outcome.type !== "granted") return outcome
          }
          return { type: "granted" }
        },
      }),
  }
}

/** The commands whose arguments are paths, as opencode has it. */
const ofPaths = new Set([...moves, "rm", "cp", "mv", "mkdir", "touch", "chmod", "chown", "cat"])

type Request = Parameters<ToolContext["ask"]>[0]

/**
 * What opencode's own tool asks for before it runs a command. For always it asks more generously, for all that begins
 * alike: here that is for these commands alone.
 */
function requestsToRun(
  command: string,
  { directory, worktree }: Pick<ToolContext, "directory" | "worktree">,
): Request[] {
  const directories = [...new Set(leadsOutside(command, ofPaths, [directory, worktree]).map(folderOf))]
  const outside = directories.map((folder) => join(folder, "*"))
  const patterns = commandsIn(command).filter((each) => !moves.has(nameOf(each)))
  return [
    ...(outside.length > 0
      ? [
          {
            permission: "external_directory",
            patterns: outside,
            always: outside,
            metadata: { command, directories, patterns: outside },
          },
        ]
      : []),
    ...(patterns.length > 0
      ? [{ permission: "bash", patterns, always: patterns, metadata: { command } }]
      : []),
  ]
}

const folderOf = (path: string) =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : dirname(path)

/** opencode never settles what an interrupt has ended. */
function decided(abort: AbortSignal, asked: Parameters<typeof unlessAborted>[1]): Promise<StartPermission> {
  return unlessAborted(abort, asked).then((): StartPermission => ({ type: "granted" }), decodeRefusal)
}

/** What the types of a tool's context do not show. */
const CallID = z.object({ callID: z.string() })

/** With what a request for a permission rejects; of these opencode tells a person's feedback alone. */
const Refusal = z.object({
  _tag: z.enum(["PermissionDeniedError", "PermissionRejectedError", "PermissionCorrectedError"]),
  feedback: z.string().optional(),
})

function decodeRefusal(thrown: unknown): StartPermission {
  const { data } = Refusal.safeParse(thrown)
  if (!data) return { type: "failed", reason: wordsOf(thrown) || String(thrown) }
  return data._tag === "PermissionDeniedError"
    ? { type: "denied" }
    : { type: "rejected", feedback: data.feedback }
}
