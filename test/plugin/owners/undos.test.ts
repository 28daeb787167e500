import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { HostMessage, NewPrompt } from "../../../src/plugin/host/port.ts"
import { decodeMessage } from "../../../src/plugin/host/v1/decode.ts"
import { deliveryMark } from "../../../src/plugin/records/delivery-mark.ts"
import { StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { ok } from "../support/host-double.ts"
import { askedBy, postedAs } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"

quietXState()
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const owner = "owner"
const words = { session: owner, messageID: "msg_1", text: "hello", agent: "build" }

/** An owner whose conversation holds the result of its job `a`, by a message that the user may undo. */
async function delivered() {
  const posted: NewPrompt[] = []
  /** In the place of the owner's conversation, where there is any. */
  const spoken: HostMessage[] = []
  const services = testServices(
    {
      messages: async (session) =>
        ok(
          session === owner && spoken.length > 0
            ? spoken
            : (services.host.said.get(session) ?? []).map(decodeMessage),
        ),
      post: async (message) => {
        posted.push(message)
        return ok(undefined)
      },
    },
    { notify: "idle" },
  )
  const { host, call, troupe, hear, inbox } = services
  host.said.set(owner, [askedBy(words)])
  hear({ type: "session.busy", session: owner })
  await call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
  await vi.advanceTimersByTimeAsync(0)
  host.prompts[0]?.answer("the answer of a")
  await vi.advanceTimersByTimeAsync(0)
  await call("agents_wait", {})
  hear({ type: "session.idle", session: owner })
  const [record] = troupe.records.of(owner)
  if (!record) throw new Error("there is a job")
  const message = { ...words, messageID: "msg_2", mark: deliveryMark([record]) }
  host.said.set(owner, [askedBy(words), postedAs(message)])
  const stored = () => StoredJob.parse(host.sessions.get(record.session)?.metadata?.troupe).deliveredRun
  await vi.advanceTimersByTimeAsync(4_000)
  expect([inbox.undelivered(owner), stored()]).toEqual([[], 1])
  return {
    ...services,
    posted,
    spoken,
    stored,
    undo() {
      host.said.set(owner, [askedBy(words)])
      for (const _ of "abc") hear({ type: "messages.removed", session: owner })
    },
  }
}

describe("A result whose delivery the user has undone", () => {
  it("is undelivered again, and the next wait has it", async () => {
    const { undo, call, stored } = await delivered()
    undo()
    expect((await call("agents_wait", {})).output).toContain("the answer of a")
    await vi.advanceTimersByTimeAsync(4_000)
    expect(stored()).toBe(1)
  })

  it("is on record as undelivered", async () => {
    const { undo, stored } = await delivered()
    undo()
    await vi.advanceTimersByTimeAsync(4_000)
    expect(stored()).toBe(0)
  })

  it("starts no turn, and goes along with the next result that does", async () => {
    const { undo, call, hear, host, posted } = await delivered()
    hear({ type: "session.busy", session: owner })
    undo()
    await vi.advanceTimersByTimeAsync(0)
    await call("agents_start", { tasks: [{ id: "b", prompt: "work of b" }] })
    hear({ type: "session.idle", session: owner })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(posted).toEqual([])
    host.prompts.at(-1)?.answer("the answer of b")
    await vi.advanceTimersByTimeAsync(60_000)
    expect(posted.map(({ text }) => [...text.matchAll(/the answer of ./g)].join())).toEqual([
      "the answer of a,the answer of b",
    ])
  })

  it("starts no turn either where the owner itself fetches the one that would", async () => {
    const { undo, call, hear, host, posted } = await delivered()
    hear({ type: "session.busy", session: owner })
    undo()
    await call("agents_start", { tasks: [{ id: "b", prompt: "work of b" }] })
    host.prompts.at(-1)?.answer("the answer of b")
    await call("agents_wait", { ids: ["b"] })
    hear({ type: "session.idle", session: owner })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(posted).toEqual([])
  })

  it("is none as far as anybody can say, where a summary has taken the place of what was delivered", async () => {
    const { spoken, hear, inbox } = await delivered()
    const summary = { role: "user", id: "msg_sum", text: "", marks: [], agent: "", model: "" } as const
    spoken.push({ ...summary, marks: [], summarizesUntil: Date.now() })
    hear({ type: "messages.removed", session: owner })
    await vi.advanceTimersByTimeAsync(0)
    expect(inbox.undelivered(owner)).toEqual([])
  })

  it("is none where the message that delivered it is still there", async () => {
    const { host, hear, call } = await delivered()
    const [first, ...rest] = host.said.get(owner) ?? []
    host.said.set(owner, rest)
    expect(first).toBeDefined()
    hear({ type: "messages.removed", session: owner })
    expect((await call("agents_status", {})).output).not.toContain("the answer of a")
    const waiting = call("agents_wait", {})
    await vi.advanceTimersByTimeAsync(1_000)
    expect((await waiting).title).toBe("nothing to wait for")
  })

  it("stays delivered where opencode does not say what is left, which is logged", async () => {
    const { undo, host, inbox } = await delivered()
    host.said.get = () => {
      throw new Error("not now")
    }
    undo()
    await vi.advanceTimersByTimeAsync(0)
    expect(inbox.undelivered(owner)).toEqual([])
    expect(host.logged.at(-1)).toContain("not now")
  })
})
