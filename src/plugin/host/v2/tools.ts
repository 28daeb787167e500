import { joined } from "../../util/joined.ts"
import type { Tool } from "../port.ts"
import type { Context, NewTool, ToolResult } from "./api.ts"
import type { Call } from "./calls.ts"
import { type HostOfTwo, withoutUndefined } from "./host.ts"
import type { Location } from "./location.ts"

/** How long a call that waits may take to return by itself once its instance ends. Milliseconds. */
const graceMs = 1_000
/** How long a call waits for the instance that a reload makes. Milliseconds. */
export const reloadMs = 10_000

/** Offers the tools to the models of opencode 2. Whichever instance offers them, the current one answers. */
export async function addTools(
  context: Context,
  tools: Record<string, Tool>,
  location: Location,
): Promise<void> {
  await context.tool.transform((all) => {
    for (const [name, tool] of Object.entries(tools)) all.add(toolOfTwo(context, name, tool, location))
  })
}

function toolOfTwo(
  context: Context,
  name: string,
  { description, arguments: given }: Tool,
  location: Location,
): NewTool {
  return {
    name,
    options: { codemode: false },
    description,
    input: unchecked(inputOf(given)),
    async execute(args, call) {
      const instance = await location.current(reloadMs)
      if (!instance) throw new Error(reloaded)
      // What opencode has not dropped is that through which it calls, whichever instance answers.
      const builtIn = joined(() => context.tool.list())
      return instance.call(name, args, Object.assign({}, call, { builtIn }))
    },
  }
}

function inputOf(given: Tool["arguments"]): object {
  const fields = Object.entries(given)
  const required = fields.flatMap(([field, { isOptional }]) => (isOptional ? [] : [field]))
  return {
    type: "object",
    properties: Object.fromEntries(fields.map(([field, { schema }]) => [field, schema])),
    ...(required.length > 0 && { required }),
  }
}

/**
 * Answers a call of a tool.
 * @param over aborts when this instance of the plugin ends: opencode goes on waiting for its calls
 */
export async function answerCall(
  host: HostOfTwo,
  tool: Tool,
  args: unknown,
  call: Call,
  over: AbortSignal,
): Promise<ToolResult> {
  const ended = host.began(call)
  try {
    const answer = tool.run(args, {
      place: { session: call.sessionID, message: call.messageID, call: call.id },
      agent: call.agent,
      signal: AbortSignal.any([call.signal, over]),
      askToStart: (...asked) => host.askToStart(call, ...asked),
      askToRun: (command) => host.askToRun(call, command),
      askToEdit: (root, files) => host.askToEdit(call, root, files),
    })
    const { output, metadata } = await unlessOver(answer, over)
    return { content: output, metadata: withoutUndefined(metadata) }
  } finally {
    ended()
  }
}

const reloaded = "opencode-troupe was reloaded; its jobs keep running. Call again."

/**
 * Shown to the model as it is, but never checked by opencode: its refusal would not say what would be right, and one
 * bad task would take the good ones of its batch along. A schema that checks by itself, as standardschema.dev has it.
 */
function unchecked(schema: object): object {
  const validate = (value: unknown) => ({ value })
  return {
    ...schema,
    "~standard": { version: 1, vendor: "opencode-troupe", validate, jsonSchema: { input: () => schema } },
  }
}

/** What a call answers, or an error some time after `over` aborts: for calls that wait for what will not come. */
function unlessOver<T>(answer: Promise<T>, over: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => void setTimeout(() => reject(new Error(reloaded)), graceMs).unref()
    if (over.aborted) end()
    else over.addEventListener("abort", end, { once: true })
    answer.then(resolve, reject).finally(() => over.removeEventListener("abort", end))
  })
}
