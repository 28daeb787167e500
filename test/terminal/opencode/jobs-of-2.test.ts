import { describe, expect, it, onTestFinished, vi } from "vitest"
import { openChannel } from "../../../src/plugin/host/v2/terminal.ts"
import type { TerminalService } from "../../../src/terminal/contract.ts"
import { glanceAt } from "../../../src/terminal/glance.ts"
import type { Overview, ShownJob } from "../../../src/terminal/jobs.ts"
import { type Client, isHere, jobsOf } from "../../../src/terminal/opencode/jobs-of-2.ts"
import { shownJob } from "../support/shown-job.ts"

const only = (jobs: ShownJob[]): Overview => ({ jobs, budgets: [] })

type Methods = Record<string, (given: unknown) => Promise<unknown>>

/** Both ends of opencode 2's RPC, which keeps the words of errors to itself and gives a plain object instead. */
async function ends(service: Partial<TerminalService>) {
  let registered: Methods = {}
  const unexpected = () => expect.fail("nobody asked for this")
  const all = {
    list: () => only([]),
    glance: () => glanceAt(only([]), 0, 0),
    read: unexpected,
    standings: unexpected,
    inspect: unexpected,
    cancel: unexpected,
    send: unexpected,
  }
  const register = async (_: object, methods: object) => {
    registered = methods as Methods
    return { dispose: async () => {}, events: { emit: async () => {} } }
  }
  const { end } = await openChannel({ register }, { ...all, ...service })
  onTestFinished(end)
  const call = (name: string) => async (given: unknown) =>
    registered[name]?.(given).catch(() =>
      Promise.reject({ type: "rpc.internal", message: "RPC call failed" }),
    )
  const rpc = {
    list: call("list"),
    glance: call("glance"),
    read: call("read"),
    inspect: call("inspect"),
    cancel: call("cancel"),
    send: call("send"),
  }
  return { rpc, end, jobs: jobsWith(rpc) }
}

function jobsWith(rpc: object) {
  const client = { rpc: () => rpc } as unknown as Client
  return jobsOf({
    client,
    data: { on: () => () => {}, session: { get: () => undefined } },
    here: () => undefined,
  })
}

describe("What the terminal asks of the server part of opencode 2", () => {
  it("is answered", async () => {
    const job = shownJob()
    const glance = vi.fn((_: { owner: string; most: number }) => glanceAt(only([job]), 1, 0))
    const cancel = vi.fn()
    const send = vi.fn(async () => {})
    const { jobs } = await ends({
      list: ({ owner }) => only(owner === undefined || owner === job.owner ? [job] : []),
      glance,
      read: async () => ({ prompt: "Look", text: "Fine." }),
      inspect: async () => ({ link: "http://here" }),
      cancel,
      send,
    })
    expect(await jobs.all()).toEqual(only([job]))
    expect(await jobs.of("ses_other")).toEqual([])
    expect(await jobs.glance("ses_owner", 1)).toEqual(glanceAt(only([job]), 1, 0))
    expect(glance).toHaveBeenCalledWith({ owner: "ses_owner", most: 1 })
    expect(await jobs.read(job)).toEqual({ prompt: "Look", text: "Fine." })
    expect(await jobs.inspect()).toBe("http://here")
    await jobs.cancel(job)
    expect(cancel).toHaveBeenCalledWith({ session: job.session })
    await jobs.send(job, "go on")
    expect(send).toHaveBeenCalledWith({ session: job.session, message: "go on" })
  })

  it("is asked where the terminal is, or the owner's session", async () => {
    const list = vi.fn(async () => ({ jobs: [] }))
    const cancel = vi.fn(async () => ({}))
    const sessions: Record<string, object> = { ses_there: { location: { directory: "/there" } } }
    const jobs = jobsOf({
      client: { rpc: () => ({ list, cancel }) } as unknown as Client,
      data: { on: () => () => {}, session: { get: (session) => sessions[session] } },
      here: () => ({ directory: "/here" }),
    })
    await jobs.all()
    await jobs.of("ses_here")
    await jobs.of("ses_there")
    await jobs.cancel(shownJob({ owner: "ses_there" }))
    const at = (directory: string) => ({ location: { directory } })
    expect(list.mock.calls).toEqual([
      [{}, at("/here")],
      [{ owner: "ses_here" }, at("/here")],
      [{ owner: "ses_there" }, at("/there")],
    ])
    expect(cancel.mock.calls).toEqual([[{ session: "ses_1" }, at("/there")]])
  })

  it("is answered by who has the jobs of an owner that has moved to another directory since", async () => {
    const job = shownJob()
    const cancel = vi.fn()
    const first = await ends({
      list: ({ owner = job.owner }) => only(owner === job.owner ? [job] : []),
      glance: ({ owner }) => glanceAt(only(owner === job.owner ? [job] : []), 1, 0),
      read: async () => ({ prompt: "Look", text: "Fine." }),
      cancel,
    })
    const { jobs } = await ends({ read: () => Promise.reject(new Error("it is gone")) })
    expect(await jobs.of(job.owner)).toEqual([job])
    expect(await jobs.glance(job.owner, 1)).toEqual(glanceAt(only([job]), 1, 0))
    expect(await jobs.read(job)).toEqual({ prompt: "Look", text: "Fine." })
    await jobs.cancel(job)
    expect(cancel).toHaveBeenCalledOnce()
    expect(await jobs.all()).toEqual(only([]))
    await first.end()
    expect(await jobs.of(job.owner)).toEqual([])
    await expect(jobs.read(job)).rejects.toThrow("it is gone")
  })

  it("is refused with words for the person", async () => {
    const refusal = (words: string) => () => {
      throw new Error(words)
    }
    const { jobs } = await ends({
      read: async () => refusal("it could not be read")(),
      inspect: async () => refusal("its port is in use")(),
      cancel: refusal("auth has already ended."),
      send: async () => refusal("auth is being stopped")(),
    })
    const job = shownJob()
    await expect(jobs.read(job)).rejects.toThrow("it could not be read")
    await expect(jobs.inspect()).rejects.toThrow("its port is in use")
    await expect(jobs.cancel(job)).rejects.toThrow("auth has already ended.")
    await expect(jobs.send(job, "go on")).rejects.toThrow("auth is being stopped")
  })

  it("has nobody to answer it where the server part is not loaded", async () => {
    const unavailable = { type: "rpc.unavailable", message: "RPC is unavailable: opencode-troupe" }
    const jobs = jobsWith({ list: () => Promise.reject(unavailable) })
    await expect(jobs.all()).rejects.toThrow(
      "opencode-troupe is not loaded in opencode's server, or not yet.",
    )
  })

  it("is not waited for without a word where the server part hangs", async () => {
    vi.useFakeTimers()
    try {
      const jobs = jobsWith({ list: () => new Promise(() => {}) })
      const told = expect(jobs.waiting()).rejects.toThrow(
        "opencode-troupe's server part has not answered for 5 seconds.",
      )
      await vi.advanceTimersByTimeAsync(5_000)
      await told
    } finally {
      vi.useRealTimers()
    }
  })

  it("is not answered where opencode is away", async () => {
    const jobs = jobsWith({ list: () => Promise.reject(new Error("Transport")) })
    await expect(jobs.all()).rejects.toThrow("opencode cannot be reached.")
  })

  it("is nothing that a part of another version answers in another way", async () => {
    const jobs = jobsWith({ list: async () => ({}), read: async () => ({ prompt: 5 }) })
    await expect(jobs.all()).rejects.toThrow("of another version")
    expect(await jobs.read(shownJob())).toEqual({ prompt: "", text: "" })
  })
})

it.each([
  ["of the terminal's directory", { directory: "/here" }, ["/here", undefined], true],
  ["of the session that it shows", { directory: "/there" }, ["/here", "/there"], true],
  ["of another directory", { directory: "/there" }, ["/here", undefined], false],
  ["of one that opencode does not name", undefined, ["/here", undefined], true],
  [
    "anywhere, where opencode does not say where the terminal is",
    { directory: "/there" },
    [undefined, undefined],
    true,
  ],
])("A terminal is told of what is %s: %s among %j is %s", (_, place, here, isTold) => {
  expect(
    isHere(place, ...here.map((directory) => (directory === undefined ? undefined : { directory }))),
  ).toBe(isTold)
})
