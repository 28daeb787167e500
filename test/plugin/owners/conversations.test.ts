import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { HostMessage, OwnerMessage, Result } from "../../../src/plugin/host/port.ts"
import { decodeMessage } from "../../../src/plugin/host/v1/decode.ts"
import { deliveryMark } from "../../../src/plugin/records/delivery-mark.ts"
import { StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { failed, ok } from "../support/host-double.ts"
import { askedBy, deliveredAs } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"

quietXState()
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const owner = "owner"
const words = { session: owner, messageID: "msg_1", text: "hello", agent: "build" }

const summaryOf = (summarizesUntil: number): HostMessage => ({
  role: "user",
  id: "msg_sum",
  text: "",
  marks: [],
  agent: "",
  model: "",
  summarizesUntil,
})

/** An owner whose conversation holds the result of its job `a`, by a message that the user may undo. */
async function delivered() {
  const told: OwnerMessage[] = []
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
      deliver: async (message) => {
        told.push(message)
        return ok({ mark: message.mark })
      },
    },
    { notify: "each" },
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
  host.said.set(owner, [askedBy(words), deliveredAs(message)])
  const stored = () => StoredJob.parse(host.sessions.get(record.session)?.metadata?.troupe).deliveredRun
  await vi.advanceTimersByTimeAsync(4_000)
  expect([inbox.undelivered(owner), stored()]).toEqual([[], 1])
  return {
    ...services,
    told,
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

  it("is on record as undelivered at once, for opencode may be killed in the next moment", async () => {
    const { undo, stored } = await delivered()
    undo()
    await vi.advanceTimersByTimeAsync(0)
    expect(stored()).toBe(0)
  })

  it("starts no turn, and goes along with the next result that does", async () => {
    const { undo, call, hear, host, told } = await delivered()
    hear({ type: "session.busy", session: owner })
    undo()
    await vi.advanceTimersByTimeAsync(0)
    await call("agents_start", { tasks: [{ id: "b", prompt: "work of b" }] })
    hear({ type: "session.idle", session: owner })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(told).toEqual([])
    host.prompts.at(-1)?.answer("the answer of b")
    await vi.advanceTimersByTimeAsync(60_000)
    expect(told.map(({ text }) => [...text.matchAll(/the answer of ./g)].join())).toEqual([
      "the answer of a,the answer of b",
    ])
  })

  it("starts no turn either where the owner itself fetches the one that would", async () => {
    const { undo, call, hear, host, told } = await delivered()
    hear({ type: "session.busy", session: owner })
    undo()
    await call("agents_start", { tasks: [{ id: "b", prompt: "work of b" }] })
    host.prompts.at(-1)?.answer("the answer of b")
    await call("agents_wait", { ids: ["b"] })
    hear({ type: "session.idle", session: owner })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(told).toEqual([])
  })

  it("is none as far as anybody can say, where a summary has taken the place of what was delivered", async () => {
    const { spoken, hear, inbox } = await delivered()
    spoken.push(summaryOf(Date.now()))
    hear({ type: "messages.removed", session: owner })
    await vi.advanceTimersByTimeAsync(0)
    expect(inbox.undelivered(owner)).toEqual([])
  })

  it("is undelivered again after a compaction, too, where it was delivered since", async () => {
    const { spoken, hear, call } = await delivered()
    spoken.push(summaryOf(Date.now() - 60_000))
    hear({ type: "messages.removed", session: owner })
    expect((await call("agents_wait", {})).output).toContain("the answer of a")
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

describe("An answer of which opencode tells, though another opencode may have ended its call", () => {
  /** An owner whose job `a` has ended, and what opencode tells of its wait; `holds`: its conversation has the answer. */
  async function answeredInDoubt(holds: boolean, messages?: () => Promise<Result<HostMessage[]>>) {
    const said: HostMessage[] = []
    const services = testServices({ messages: async () => messages?.() ?? ok(said) })
    const { host, call, troupe, hear } = services
    await call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
    host.prompts[0]?.answer("the answer of a")
    const { metadata } = await call("agents_wait", {}, { isStored: false })
    const [record] = troupe.records.of(owner)
    if (!record) throw new Error("there is a job")
    const mark = metadata.troupe
    if (holds) said.push(decodeMessage(deliveredAs({ ...words, mark })))
    hear({ type: "tool.ended", session: owner, call: "call", tool: "agents_wait", mark, isInDoubt: true })
    const next = async () => {
      const waiting = call("agents_wait", {}, { id: "next", isStored: false })
      await vi.advanceTimersByTimeAsync(1_000)
      return waiting
    }
    return { ...services, said, next }
  }

  it("has delivered its results where the conversation holds it", async () => {
    const { next } = await answeredInDoubt(true)
    expect((await next()).output).toBe("No jobs are running, and all results have been delivered.")
  })

  it("has delivered nothing where the conversation does not hold it: the next wait has the results", async () => {
    const { next } = await answeredInDoubt(false)
    expect((await next()).output).toContain("the answer of a")
  })

  it("is believed where a summary has taken its place already", async () => {
    const { said, next } = await answeredInDoubt(false)
    said.push(summaryOf(Date.now()))
    expect((await next()).output).toBe("No jobs are running, and all results have been delivered.")
  })

  it("is believed where opencode does not show the conversation, which is logged", async () => {
    const { next, host } = await answeredInDoubt(false, async () => failed("not now"))
    expect((await next()).output).toBe("No jobs are running, and all results have been delivered.")
    expect(host.logged.at(-1)).toContain("not now")
  })
})
