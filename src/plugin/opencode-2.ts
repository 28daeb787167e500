import type { HostEvent } from "./host/port.ts"
import type { ModelRequest } from "./host/v2/api.ts"
import { eventDecoder } from "./host/v2/events.ts"
import { createHost } from "./host/v2/host.ts"
import { completed, type Offered } from "./host/v2/offered.ts"
import { addTools } from "./host/v2/tools.ts"
import { createProduct } from "./product.ts"
import { wordsOf } from "./util/error-words.ts"
import { Problems } from "./util/problems.ts"
import { shared } from "./util/process-wide.ts"

type End = () => Promise<void>

/** The instance of each location, and how it is ended. */
const instances = shared("locations of opencode 2", () => new Map<string, Promise<End>>())

/** Before events are asked for again that broke off. Milliseconds. */
const eventPauseMs = 1_000

/**
 * One instance of the plugin in opencode 2, which makes one for each location. Returns its cleanup. A reload makes a
 * new one while turns still run in the location of the old one, whose cleanup waits for them: so the new one ends the
 * old one itself, and takes over its jobs. However many opencode makes at once, they follow each other.
 */
export async function setup(offered: Offered): Promise<End> {
  const directory = offered.location?.directory ?? process.cwd()
  const before = instances.get(directory)
  const instance = (async () => {
    const endBefore = await before
    await endBefore?.()
    return begin(offered, directory)
  })()
  instances.set(directory, instance)
  const forget = () => void (instances.get(directory) === instance && instances.delete(directory))
  try {
    const end = await instance
    return () => end().finally(forget)
  } catch (error) {
    // opencode would say that the plugin is broken, and of what.
    forget()
    console.error(`opencode-troupe: could not start: ${wordsOf(error)}`)
    return async () => {}
  }
}

async function begin(offered: Offered, directory: string): Promise<End> {
  const { context, missing } = completed(offered)
  const problems = new Problems()
  if (missing.length > 0) {
    problems.add(
      `opencode ${context.app.version} offers its plugins no ${missing.join(", no ")}: what needs that fails, and the ` +
        "rest works; it may be too old or too new for opencode-troupe",
    )
  }
  const host = await createHost(context, problems)
  const product = createProduct({
    host,
    directory,
    given: context.options,
    endsWithTurn: false,
    turnsOutlivePlugin: true,
  })
  const over = new AbortController()

  void listen()
  async function listen(): Promise<void> {
    const decode = eventDecoder((type) =>
      problems.add(
        `opencode ${context.app.version} tells of ${type} in an unknown way, which is left out; it may be too old or ` +
          "too new for opencode-troupe",
      ),
    )
    while (!over.signal.aborted && !missing.includes("event.subscribe")) {
      try {
        for await (const unparsed of context.event.subscribe({ signal: over.signal })) {
          host.hearUndecoded(unparsed)
          for (const event of decode(unparsed)) hear(event)
        }
      } catch (error) {
        if (!over.signal.aborted) void host.log("warn", `opencode's events broke off: ${wordsOf(error)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, eventPauseMs).unref())
    }
  }

  function hear(event: HostEvent): void {
    host.hear(event)
    product.hear(event)
  }
  host.catchUp(hear)

  /** What this opencode does not take costs no more than itself. */
  const add = (what: string, adding: Promise<unknown>) =>
    adding.catch((error) => problems.add(`${what}: ${wordsOf(error)}`))

  await add("the tools could not be added", addTools(context, host, product.tools, over.signal))
  await add(
    "models are told nothing of the tools",
    context.session.hook("context", async (request: ModelRequest) => {
      const text = await product.hintFor(request.sessionID)
      if (text !== undefined) request.system.push({ type: "text", text })
    }),
  )
  await add(
    "a compaction may lose what jobs there are",
    context.session.hook("compaction", (request: ModelRequest) => {
      const text = product.openJobs(request.sessionID)
      if (text !== undefined) request.system.push({ type: "text", text })
    }),
  )

  let ending: Promise<void> | undefined
  return () => {
    // opencode neither aborts nor ends the calls that wait: they have to return by themselves.
    over.abort()
    ending ??= product.stop()
    return ending
  }
}
