import type { Context, ModelRequest } from "./host/v2/api.ts"
import { eventDecoder } from "./host/v2/events.ts"
import { createHost } from "./host/v2/host.ts"
import { addTools } from "./host/v2/tools.ts"
import { createProduct } from "./product.ts"

/** One instance of the plugin in opencode 2, which makes one for each location. Returns its cleanup. */
export async function setup(context: Context): Promise<() => Promise<void>> {
  const { location, options: given } = context
  const host = await createHost(context)
  const product = createProduct({ host, directory: location.directory, given, endsWithTurn: false })
  const over = new AbortController()

  void listen()
  async function listen(): Promise<void> {
    const decode = eventDecoder()
    for await (const unparsed of context.event.subscribe({ signal: over.signal })) {
      const event = decode(unparsed)
      if (!event) continue
      host.hear(event)
      product.hear(event)
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

  return async () => {
    // opencode neither aborts nor ends the calls that wait: they have to return by themselves.
    over.abort()
    await product.stop()
  }
}
