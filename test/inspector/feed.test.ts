import { createServer } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { getRequestListener } from "@hono/node-server"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Feed } from "../../src/inspector/feed/feed.ts"
import { Ring } from "../../src/inspector/feed/ring.ts"
import { streamRoutes } from "../../src/inspector/http/routes/stream.ts"
import { type Inspector, startInspector } from "../../src/inspector/index.ts"
import { Sources } from "../../src/inspector/source.ts"
import { pageStub } from "./support/page-stub.ts"
import { jobInput, OWNER, type ScriptedTroupe, scriptedTroupe } from "./support/scripted-troupe.ts"
import { type Frame, type Listener, listen } from "./support/sse.ts"

const token = "a-token-of-thirty-two-characters-or-more"
const bearer = { authorization: `Bearer ${token}` }

let scripted: ScriptedTroupe
beforeEach(() => {
  scripted = scriptedTroupe()
})
afterEach(() => scripted.stop())

describe("the ring", () => {
  const change = (id: string) => ({ source: scripted.source, owner: OWNER, id })

  it("gives each job that changed once, with its latest number", () => {
    const ring = new Ring(100)
    for (const id of ["a", "b", "a"]) ring.push(change(id))
    expect(ring.since(100)?.map(({ id, seq }) => [id, seq])).toEqual([
      ["b", 102],
      ["a", 103],
    ])
    expect(ring.since(103)).toEqual([])
  })

  it("does not know what came before it, or what is still to come", () => {
    const ring = new Ring(100)
    expect([ring.since(99), ring.since(101)]).toEqual([undefined, undefined])
  })

  it("is bounded", () => {
    const ring = new Ring(0)
    for (let count = 0; count < 5_000; count++) ring.push(change(`j${count}`))
    expect(ring.since(5_000 - 4_096)).toHaveLength(4_096)
    expect(ring.since(5_000 - 4_097)).toBeUndefined()
  })

  it("lets nobody continue across a gap", () => {
    const ring = new Ring(0)
    ring.push(change("a"))
    ring.reset()
    expect(ring.since(1)).toBeUndefined()
    expect(ring.since(ring.head)).toEqual([])
  })
})

describe("over HTTP", () => {
  let inspector: Inspector
  const listeners: Listener[] = []
  const stream = async (headers: Record<string, string> = {}) => {
    const listener = await listen(inspector.url, { ...bearer, ...headers })
    listeners.push(listener)
    return listener.frames
  }
  const shows = (id: string, state: string) => (frame: Frame) =>
    frame.data.jobs?.some((job) => job.id === id && job.state === state) ?? false

  beforeEach(async () => {
    inspector = await startInspector({
      source: scripted.source,
      options: { token },
      page: pageStub,
      registerFolder: false,
    })
  })
  afterEach(async () => {
    for (const { close } of listeners.splice(0)) close()
    await inspector.stop()
  })

  it("begins with a snapshot and goes on with changes", async () => {
    scripted.start("j1")
    await scripted.until("j1", "prompting.working")
    const frames = await stream()
    expect((await frames.waitFor(({ event }) => event === "snapshot")).data.jobs).toMatchObject([
      { id: "j1" },
    ])
    await scripted.answer("j1")
    expect((await frames.waitFor(shows("j1", "done"))).event).toBe("changes")
  })

  it("carries what owners are called, as soon as that is known and whenever it changes", async () => {
    scripted.start("j1")
    await scripted.until("j1", "prompting.working")
    const frames = await stream()
    expect((await frames.waitFor(({ event }) => event === "snapshot")).data.owners).toEqual({})
    scripted.retitle(OWNER, "Mend the tests")
    await frames.waitFor(({ data }) => data.owners?.[OWNER] === "Mend the tests")
    scripted.retitle(OWNER, "Mend all tests")
    await frames.waitFor(({ data }) => data.owners?.[OWNER] === "Mend all tests")
    const later = await stream()
    const { data } = await later.waitFor(({ event }) => event === "snapshot")
    expect(data.owners).toEqual({ [OWNER]: "Mend all tests" })
  })

  it("carries what is spent of the budgets of the jobs that it tells of, each once", async () => {
    let tokens = 0
    scripted.source.budgets = ({ batch = "" }) =>
      batch === ""
        ? []
        : [{ of: "batch", name: batch, limit: { tokens: 9 }, spent: { tokens, cost: 0 }, isSpent: false }]
    for (const id of ["j1", "j2"]) scripted.start(id, { batch: "b1" })
    scripted.start("other")
    await scripted.until("other", "prompting.working")
    const frames = await stream()
    const budget = { of: "batch", name: "b1", limit: { tokens: 9 }, isSpent: false }
    const { data } = await frames.waitFor(({ event }) => event === "snapshot")
    expect(data.budgets).toEqual([{ ...budget, spent: { tokens: 0, cost: 0 } }])
    tokens = 5
    await scripted.answer("j1")
    const done = await frames.waitFor(shows("j1", "done"))
    expect(done.data.budgets).toEqual([{ ...budget, spent: { tokens: 5, cost: 0 } }])
    await scripted.answer("other")
    expect((await frames.waitFor(shows("other", "done"))).data.budgets).toEqual([])
  })

  it("resumes after the last event that a client has seen", async () => {
    const first = await stream()
    await first.waitFor(({ event }) => event === "snapshot")
    scripted.start("j1")
    const { id } = await first.waitFor(shows("j1", "prompting"))
    scripted.start("j2")
    await scripted.until("j2", "prompting.working")
    const second = await stream({ "last-event-id": id })
    const frame = await second.waitFor(() => true)
    expect(frame.event).toBe("changes")
    expect(frame.data.jobs?.map((job) => job.id)).toEqual(["j2"])
  })

  it.each(["1", "9999999999999999"])("resyncs who cannot resume (%s)", async (id) => {
    const frames = await stream({ "last-event-id": id })
    await frames.waitFor(({ event }) => event === "snapshot")
    expect(frames.items.map(({ event }) => event)).toEqual(["resync", "snapshot"])
  })

  it("joins what changes at once, and sends no text", async () => {
    const frames = await stream()
    await frames.waitFor(({ event }) => event === "snapshot")
    for (let count = 0; count < 100; count++) scripted.start(`j${count}`)
    await frames.waitFor(shows("j7", "prompting"))
    await scripted.answer("j0", { text: "the whole answer" })
    const done = await frames.waitFor(shows("j0", "done"))
    expect(frames.items.length).toBeLessThan(10)
    expect(JSON.stringify(done)).not.toContain("the whole answer")
    const record = scripted.troupe.records.get(OWNER, "j0")
    const asData = { id: "data", session: "ses_data", structured: { words: "the whole answer" } }
    if (record) scripted.troupe.adopt({ ...record, ...asData })
    const adopted = await frames.waitFor(shows("data", "done"))
    expect(JSON.stringify(adopted)).not.toContain("the whole answer")
  })

  it("writes to a client ten times a second at most, however much changes", async () => {
    const frames = await stream()
    await frames.waitFor(({ event }) => event === "snapshot")
    scripted.start("busy")
    await frames.waitFor(shows("busy", "prompting"))
    const before = frames.items.length
    const end = Date.now() + 1_500
    for (let tool = 0; Date.now() < end; tool++) {
      const activity = { tool: `tool-${tool}`, at: Date.now() }
      scripted.troupe.tell({ owner: OWNER, id: "busy" }, { type: "child.active", activity })
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    const written = frames.items.length - before
    expect(written).toBeGreaterThan(3)
    expect(written).toBeLessThanOrEqual(16)
  })

  it("says which jobs are gone", async () => {
    scripted.start("j1")
    await scripted.answer("j1")
    const frames = await stream()
    await frames.waitFor(shows("j1", "done"))
    scripted.troupe.forgetOwner(OWNER)
    await frames.waitFor(({ data }) => data.gone?.includes(`${OWNER}/j1`) ?? false)
  })

  it("shows projects that come and go", async () => {
    const other = scriptedTroupe({ name: "/projects/other" })
    other.start("o1")
    await other.until("o1", "prompting.working")
    const frames = await stream()
    await frames.waitFor(({ event }) => event === "snapshot")
    const remove = inspector.add(other.source)
    await frames.waitFor(shows("o1", "prompting"))
    remove()
    const last = await frames.waitFor(
      ({ event, data }) => event === "snapshot" && frames.items.length > 3 && data.jobs?.length === 0,
    )
    expect(last.data.jobs).toEqual([])
    other.stop()
  })

  it("ends with the inspector", async () => {
    const { closed, frames } = await listen(inspector.url, bearer)
    await frames.waitFor(({ event }) => event === "snapshot")
    await inspector.stop()
    await closed
  })
})

describe("while nobody looks", () => {
  const feedOf = () => {
    const sources = new Sources()
    let taps = 0
    const { records } = scripted.source
    sources.add({
      ...scripted.source,
      records: {
        get: (owner, id) => records.get(owner, id),
        of: (owner) => records.of(owner),
        all: () => records.all(),
        countOf: (owner) => records.countOf(owner),
        onForgotten: (listener) => records.onForgotten(listener),
        bySession: (session) => records.bySession(session),
        subscribe: (listener) => {
          taps++
          const end = records.subscribe(listener)
          return () => {
            taps--
            return end()
          }
        },
      },
    })
    return { feed: new Feed(sources, { now: Date.now, readOnly: false, lingerMs: 0 }), taps: () => taps }
  }

  it("listens to nothing, before and after", async () => {
    const { feed, taps } = feedOf()
    expect(taps()).toBe(0)
    const left = new AbortController()
    const messages = feed.follow(undefined, left.signal)
    expect((await messages.next()).value?.event).toBe("snapshot")
    expect([taps(), feed.clients]).toEqual([1, 1])
    left.abort()
    expect((await messages.next()).done).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect([taps(), feed.clients, feed.isTapped]).toEqual([0, 0, false])
  })

  it("makes for a client that never reads no more than fits into the line", async () => {
    const sources = new Sources()
    const { records } = scripted.source
    const usage = { input: 0, output: 0, reasoning: 0, cacheRead: 0, cacheWrite: 0, cost: 0 }
    const record = { ...jobInput("j"), session: "ses_j", state: "done", usage } as const
    let read = 0
    sources.add({
      ...scripted.source,
      records: {
        ...records,
        subscribe: (listener) => records.subscribe(listener),
        onForgotten: (listener) => records.onForgotten(listener),
        *all() {
          for (; read < 100_000; read++) yield { ...record, id: `j${read}`, description: "x".repeat(900) }
        },
      },
    })
    const feed = new Feed(sources, { now: Date.now, readOnly: false, lingerMs: 0 })
    const server = createServer(
      getRequestListener(streamRoutes(feed).fetch, { overrideGlobalObjects: false }),
    )
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
    )
    const socket = connect(port, "127.0.0.1", () => socket.pause().write("GET / HTTP/1.1\r\nhost: x\r\n\r\n"))
    let before = -1
    await expect
      .poll(
        () => {
          const isStill = read > 0 && read === before
          before = read
          return isStill
        },
        { interval: 300, timeout: 10_000 },
      )
      .toBe(true)
    // A hundred megabytes in all; what was made is held by the system's own buffers of the two sockets.
    expect(read).toBeLessThan(20_000)
    socket.destroy()
    await expect.poll(() => feed.clients).toBe(0)
    server.close()
  })

  it("forgets a client as soon as its socket is closed, though it never read", async () => {
    const { feed, taps } = feedOf()
    const server = createServer(
      getRequestListener(streamRoutes(feed).fetch, { overrideGlobalObjects: false }),
    )
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
    )
    const socket = connect(port, "127.0.0.1", () => socket.pause().write("GET / HTTP/1.1\r\nhost: x\r\n\r\n"))
    await expect.poll(() => feed.clients).toBe(1)
    socket.destroy()
    await expect.poll(() => [feed.clients, taps()]).toEqual([0, 0])
    server.close()
  })

  it("resyncs a client that fell behind", async () => {
    const { feed } = feedOf()
    const left = new AbortController()
    const messages = feed.follow(undefined, left.signal)
    await messages.next()
    scripted.start("j1")
    await scripted.until("j1", "prompting.working")
    for (let at = 0; at < 5_000; at++)
      scripted.troupe.tell(
        { owner: OWNER, id: "j1" },
        { type: "child.active", activity: { tool: "bash", at } },
      )
    expect((await messages.next()).value?.event).toBe("resync")
    expect((await messages.next()).value?.event).toBe("snapshot")
    left.abort()
    await messages.next()
  })
})
