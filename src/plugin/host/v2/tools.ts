import type { Tool } from "../port.ts"
import type { Context, NewTool } from "./api.ts"
import { type HostOfTwo, withoutUndefined } from "./host.ts"

/**
 * Offers the tools to the models of opencode 2.
 * @param over aborts when this instance of the plugin ends: opencode goes on waiting for its calls
 */
export async function addTools(
  context: Context,
  host: HostOfTwo,
  tools: Record<string, Tool>,
  over: AbortSignal,
): Promise<void> {
  await context.tool.transform((all) => {
    for (const [name, tool] of Object.entries(tools)) all.add(toolOfTwo(host, name, tool, over))
  })
}

function toolOfTwo(host: HostOfTwo, name: string, tool: Tool, over: AbortSignal): NewTool {
  const { description, arguments: given, run } = tool
  return {
    name,
    options: { codemode: false },
    description,
    input: {
      type: "object",
      properties: Object.fromEntries(Object.entries(given).map(([field, { schema }]) => [field, schema])),
      required: Object.entries(given).flatMap(([field, { isOptional }]) => (isOptional ? [] : [field])),
    },
    async execute(args, call) {
      const ended = host.began(call)
      try {
        const { output, metadata } = await run(args, {
          place: { session: call.sessionID, message: call.messageID, call: call.id },
          agent: call.agent,
          signal: AbortSignal.any([call.signal, over]),
          askToStart: (agent, description) => host.askToStart(call, agent, description),
        })
        // Without the mark opencode would put long results into a file.
        return { content: output, metadata: withoutUndefined({ ...metadata, truncated: false }) }
      } finally {
        ended()
      }
    },
  }
}
