import type { Context, ModelRequest } from "./host/v2/api.ts"
import { eventDecoder } from "./host/v2/events.ts"
import { createHost } from "./host/v2/host.ts"
import { addTools } from "./host/v2/tools.ts"
import { createProduct } from "./product.ts"
import { shared } from "./util/process-wide.ts"

type End = () => Promise<void>

/** How to end the instance of each location. */
const running = shared("locations of opencode 2", () => new Map<string, End>())

/**
 * One instance of the plugin in opencode 2, which makes one for each location. Returns its cleanup. A reload makes a
 * new one while turns still run in the location of the old one, whose cleanup waits for them: so the new one ends the
 * old one itself, and takes over its jobs.
 */
export async function setup(context: Context): Promise<End> {
  const { location, options: given } = context
  await running.get(location.directory)?.()
  const host = await createHost(context)
  const product = createProduct({ host, directory: location.directory, given, endsWithTurn: false })
  const over = new AbortController()

  void listen()
  async function listen(): Promise<void> {
    const decode = eventDecoder()
    for await (const unparsed of context.event.subscribe({ signal: over.signal })) {
      for (const event of decode(unparsed)) {
        host.hear(event)
        product.hear(event)
      }
    }
  }

  await addTools(context, host, product.tools, over.signal)
  await context.session.hook("context", async (request: ModelRequest) => {
    const text = await product.hintFor(request.sessionID)
    if (text !== undefined) request.system.push({ type: "text", text })
  })
  await context.session.hook("compaction", (request: ModelRequest) => {
    const text = product.openJobs(request.sessionID)
    if (text !== undefined) request.system.push({ type: "text", text })
  })

  let ending: Promise<void> | undefined
  const end = () => {
    // opencode neither aborts nor ends the calls that wait: they have to return by themselves.
    over.abort()
    ending ??= product.stop()
    if (running.get(location.directory) === end) running.delete(location.directory)
    return ending
  }
  running.set(location.directory, end)
  return end
}
