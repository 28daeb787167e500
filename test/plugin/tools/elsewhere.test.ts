import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { Host } from "../../../src/plugin/host/port.ts"
import type { Lease } from "../../../src/plugin/records/stored-job.ts"
import { newStoredJob } from "../../../src/plugin/records/stored-job.ts"
import { failed } from "../support/host-double.ts"
import { job } from "../support/left-job.ts"
import { answerTo, sessionOf } from "../support/opencode-data.ts"
import { holder, testServices } from "../support/services.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const other: Lease = { pid: 4711, process: "start", instance: "other" }
const words =
  "2 jobs of this session belong to another opencode (pid 4711): a, b (ended). Results are delivered there; " +
  "once that opencode has ended, they are available here."

/** The owner has a job that runs and a result to be delivered in another opencode, which has come since. */
async function besideAnother(by = other) {
  const living = new Set(["first", "other"])
  const isHeld = async ({ instance }: Lease) => living.has(instance)
  /** How many more times opencode does not say which children there are. */
  let failures = 0
  const through = (double: Host): Host => ({
    ...double,
    children: async (id) => (failures-- > 0 ? failed("database is locked") : double.children(id)),
  })
  const services = testServices({}, {}, through, { holder: { ...holder, isHeld } })
  const { host } = services
  const call: typeof services.call = async (...given) => {
    const calling = services.call(...given)
    // A wait that finds nothing waits for a start that the model may be about to write.
    await vi.advanceTimersByTimeAsync(1_000)
    return calling
  }
  expect((await call("agents_wait", {})).output).toBe(
    "No jobs are running, and all results have been delivered.",
  )
  const stored = newStoredJob(job, by)
  const ended = { ...stored, record: { ...stored.record, id: "b", state: "done", endedAt: 5 } }
  for (const [session, troupe] of [
    ["ses_a", stored],
    ["ses_b", ended],
  ] as const)
    host.sessions.set(session, sessionOf(session, { parentID: "owner", metadata: { troupe } }))
  host.said.set("ses_b", [answerTo({ session: "ses_b", messageID: "msg" }, "the answer of b")])
  return {
    ...services,
    call,
    end: () => living.delete("other"),
    fail(times: number) {
      failures = times
    },
  }
}

describe("An owner whose jobs another opencode has", () => {
  it("is not told that nothing runs and all is delivered", async () => {
    const { call } = await besideAnother()
    expect((await call("agents_wait", {})).output).toBe(`${words}\nNo other jobs are running.`)
  })

  it.each([
    ["agents_status", {}, words],
    ["agents_cancel", { all: true }, words],
    ["agents_wait", { ids: ["a"] }, `Unknown: a (you have no jobs)\n${words}`],
    ["agents_cancel", { ids: ["a"] }, `Unknown: a (you have no jobs)\n${words}`],
    ["agents_send", { id: "a", message: "go on" }, `Unknown: a (you have no jobs)\n${words}`],
  ] as const)("is told whose they are: %s %o", async (tool, given, output) => {
    const { call } = await besideAnother()
    expect((await call(tool, given)).output).toBe(output)
  })

  it("is told that opencode has to be started again, where they are another instance's of its own process", async () => {
    const { call } = await besideAnother({ ...other, pid: process.pid })
    expect((await call("agents_status", {})).output).toMatch(
      /^2 jobs of this session belong to another instance of the plugin in this opencode: a, b \(ended\)\./,
    )
  })

  it("gives none of its own jobs an id of theirs", async () => {
    const { call } = await besideAnother()
    await call("agents_status", {})
    const started = await call("agents_start", { tasks: [{ id: "a", prompt: "work" }, { prompt: "work" }] })
    expect(started.output).toContain('a: the id "a" is taken by a job of another opencode (pid 4711)')
    expect(started.jobs.map(({ id }) => id)).toEqual(["j1"])
    expect((await call("agents_wait", { timeout: 0.001 })).output).toContain(words)
  })

  it("starts nothing that needs one of theirs", async () => {
    const { call } = await besideAnother()
    await call("agents_status", {})
    const { output } = await call("agents_start", { tasks: [{ id: "c", prompt: "work", needs: ["a"] }] })
    expect(output).toBe("Refused: c: it needs a, a job of another opencode (pid 4711)")
    const unknown = await call("agents_start", { tasks: [{ id: "c", prompt: "work", needs: ["x"] }] })
    expect(unknown.output).toBe(
      "Refused: c: it needs x, which is no task of this call and no job of yours (you have no jobs)",
    )
  })

  it("is not told that there is nothing where opencode did not say what there is", async () => {
    const { call, fail } = await besideAnother()
    fail(100)
    const doubt =
      "opencode did not say which jobs an earlier opencode has left in this session: call again in a moment."
    expect((await call("agents_wait", {})).output).toBe(`${doubt}\nNo other jobs are running.`)
    expect((await call("agents_status", {})).output).toBe(doubt)
    expect((await call("agents_cancel", { all: true })).output).toBe(doubt)
    const sent = await call("agents_send", { id: "a", message: "go on" })
    expect(sent.output).toBe(`Unknown: a (you have no jobs)\n${doubt}`)
  })

  it.each([
    ["agents_status", {}, "a: failed"],
    ["agents_wait", {}, "the answer of b"],
    ["agents_wait", { ids: ["b"] }, "the answer of b"],
    ["agents_cancel", { ids: ["b"] }, "Already ended:\nb: done"],
    ["agents_send", { id: "b", message: "go on" }, "Run 2 started"],
  ] as const)("has them though the first look for them failed: %s %o", async (tool, given, words) => {
    const { call, fail, end } = await besideAnother()
    end()
    // The last look is good no more.
    await vi.advanceTimersByTimeAsync(11 * 60_000)
    fail(1)
    expect((await call(tool, given)).output).toContain(words)
  })

  it("has them as soon as that one has ended", async () => {
    const { call, end } = await besideAnother()
    await call("agents_status", {})
    end()
    const waited = await call("agents_wait", {})
    expect(waited.output).toContain("the answer of b")
    expect(waited.output).not.toContain("another opencode")
  })
})
