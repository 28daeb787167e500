import type { ToolDefinition } from "@opencode-ai/plugin"
import * as z from "zod"
import type { Tool } from "./port.ts"

/** The tools in the shape in which opencode 1.18 takes them. */
export function pluginTools(tools: Record<string, Tool>): Record<string, ToolDefinition> {
  return Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, pluginTool(tool)]))
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
        askToStart: (agent, description) =>
          context.ask({
            permission: "task",
            patterns: [agent],
            always: ["*"],
            metadata: { description, subagent_type: agent },
          }),
      }),
  }
}

/** What the types of a tool's context do not show. */
const CallID = z.object({ callID: z.string() })
