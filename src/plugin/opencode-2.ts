import type { HostEvent } from "./host/port.ts"
import type { Context } from "./host/v2/api.ts"
import { decodeCall, decodeModelRequest, decodeStartCheck } from "./host/v2/calls.ts"
import { eventDecoder } from "./host/v2/events.ts"
import { createHomes } from "./host/v2/homes.ts"
import { createHost } from "./host/v2/host.ts"
import { inTime } from "./host/v2/in-time.ts"
import { type Instance, type Location, locationOf } from "./host/v2/location.ts"
import { completed, type Offered } from "./host/v2/offered.ts"
import { Reader } from "./host/v2/reading.ts"
import { addTools, answerCall, reloadMs } from "./host/v2/tools.ts"
import { createLoadGuard } from "./isolation/load-guard.ts"
import { createProduct, type Product } from "./product.ts"
import { wordsOf } from "./util/error-words.ts"
import { Problems } from "./util/problems.ts"

/** Before events are asked for again that broke off. Milliseconds. */
const eventPauseMs = 1_000

/**
 * One instance of the plugin in opencode 2, which makes one for each location. Returns its cleanup. A reload makes a
 * new one while turns still run in the location of the old one, whose cleanup waits for them: so the new one ends the
 * old one itself, and takes over its jobs. However many opencode makes at once, they follow each other.
 */
export async function setup(offered: Offered): Promise<() => Promise<void>> {
  if (isOf1(offered)) return async () => {}
  const directory = offered.location?.directory ?? process.cwd()
  const location = locationOf(directory)
  try {
    return await location.enter(() => begin(offered, directory, location))
  } catch (error) {
    // opencode would say that the plugin is broken, and of what.
    console.error(`opencode-troupe: could not start: ${wordsOf(error)}`)
    return async () => {}
  }
}

/** 1.18.33 calls `setup` as well as `server`, and offers it neither sessions nor tools, but a `catalog`. */
const isOf1 = (offered: Offered) =>
  offered.session === undefined && offered.tool === undefined && "catalog" in offered

async function begin(offered: Offered, directory: string, location: Location): Promise<Instance> {
  const { context: whole, missing } = completed(offered)
  const context = inTime(whole)
  const problems = new Problems()
  if (missing.length > 0) {
    problems.add(
      `opencode ${context.app.version} offers its plugins no ${missing.join(", no ")}: what needs that fails, and the ` +
        "rest works; it may be too old or too new for opencode-troupe",
    )
  }
  const host = createHost(context, problems, createLoadGuard())
  const homes = createHomes(directory, host)
  const product = createProduct({
    host,
    directory,
    given: context.options,
    endsWithTurn: false,
    turnsOutlivePlugin: true,
    owners: {
      isHere: async (owner) => (await homes.enter(owner)) === directory,
      left: homes.left,
      onLeft: homes.onLeft,
    },
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

  await register(context, product.tools, location, problems)

  const reader = new Reader(context.app.version, problems)
  /** What a hook throws fails the request that it hears of, each time. */
  async function harmless(hook: string, hear: () => Promise<void>): Promise<void> {
    await hear().catch((thrown) => reader.complain(`call the hook ${hook}`, thrown))
  }

  /** The instance to answer for a session which was moved here and has its jobs there. */
  async function elsewhere(home: string | undefined): Promise<Instance | undefined> {
    return home === undefined || home === directory ? undefined : locationOf(home).current(reloadMs)
  }

  let ending: Promise<void> | undefined
  return {
    async call(name, args, given) {
      const tool = Object.entries(product.tools).find(([each]) => each === name)?.[1]
      if (!tool) throw new Error(`this version of opencode-troupe has no tool ${name}`)
      const call = reader.read("call tools", () => decodeCall(given))
      const other = await elsewhere(await homes.enter(call.sessionID))
      if (other) return other.call(name, args, given)
      return answerCall(host, tool, args, call, over.signal)
    },
    context: (given) =>
      harmless("session.context", async () => {
        const { session, tell } = decodeModelRequest(given)
        const text = await product.hintFor(session)
        if (text !== undefined) tell(text)
      }),
    compaction: (given) =>
      harmless("session.compaction", async () => {
        const { session, tell } = decodeModelRequest(given)
        const other = await elsewhere(await homes.of(session))
        if (other) return other.compaction(given)
        const text = product.openJobs(session)
        if (text !== undefined) tell(text)
      }),
    permission: (given) =>
      harmless("permission.evaluate", async () => {
        const check = decodeStartCheck(given)
        if (!check) return
        const other = await elsewhere(await homes.of(check.session))
        if (other) return other.permission(given)
        host.decide(check)
      }),
    end() {
      // opencode neither aborts nor ends the calls that wait: they have to return by themselves.
      over.abort()
      ending ??= product.stop().finally(homes.end)
      return ending
    },
  }
}

/** Has opencode call whichever instance is the current one. What it does not take costs no more than itself. */
async function register(
  context: Context,
  tools: Product["tools"],
  location: Location,
  problems: Problems,
): Promise<void> {
  const { session, permission } = context
  const add = (what: string, adding: Promise<unknown>) =>
    adding.catch((error) => problems.add(`${what}: ${wordsOf(error)}`))
  await add("the tools could not be added", addTools(context, tools, location))
  await add(
    "models are told nothing of the tools",
    session.hook("context", async (request) => (await location.current())?.context(request)),
  )
  await add(
    "a compaction may lose what jobs there are",
    session.hook("compaction", async (request) => (await location.current())?.compaction(request)),
  )
  await add(
    "permissions are asked for again and again",
    permission.hook("evaluate", async (check) => (await location.current())?.permission(check)),
  )
}
