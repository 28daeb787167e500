import { describe, expect, it } from "vitest"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { deliveryMark } from "../../../src/plugin/records/delivery-mark.ts"
import { hear } from "../support/hear.ts"
import { testServices } from "../support/services.ts"

const ended: JobRecord = {
  id: "j1",
  session: "ses_1",
  owner: "owner",
  description: "Look",
  agent: "general",
  state: "done",
  run: 1,
  createdAt: 1,
  endedAt: 2,
  text: "All is well.",
  usage: NO_USAGE,
}
const second = { ...ended, id: "j2", session: "ses_2" }

function inboxOf(...records: JobRecord[]) {
  const services = testServices()
  for (const record of records) services.troupe.adopt(record)
  const { inbox, troupe, store } = services
  const undelivered = (owner = "owner") => inbox.undelivered(owner).map(({ id }) => id)
  return { inbox, troupe, store, undelivered }
}

describe("The results that are not delivered", () => {
  it("are those of every ended job, until its owner's conversation holds them", () => {
    const { inbox, undelivered } = inboxOf(ended, second)
    expect(undelivered()).toEqual(["j1", "j2"])
    inbox.markDelivered("owner", [{ session: "ses_1", run: 1 }])
    expect(undelivered()).toEqual(["j2"])
    expect(inbox.open("owner").map(({ id }) => id)).toEqual(["j2"])
  })

  it("are, for the same job, those of its next run", () => {
    const { inbox, troupe, undelivered } = inboxOf(ended)
    inbox.markDelivered("owner", [{ session: "ses_1", run: 1 }])
    troupe.adopt({ ...ended, run: 2 })
    expect(undelivered()).toEqual(["j1"])
    inbox.markDelivered("owner", [{ session: "ses_1", run: 1 }])
    expect(undelivered()).toEqual(["j1"])
    inbox.markDelivered("owner", [{ session: "ses_1", run: 3 }])
    expect(undelivered()).toEqual([])
  })

  it("are none of a job that runs, though that one is open", () => {
    const running = { ...ended, state: "prompting", phase: "working" } as const
    const { inbox, undelivered } = inboxOf(running)
    expect(undelivered()).toEqual([])
    expect(inbox.open("owner")).toEqual([running])
    inbox.markDelivered("owner", [{ session: "ses_1", run: 1 }])
    expect(inbox.isDelivered(running)).toBe(false)
  })

  it("are none that an earlier process had delivered", () => {
    const { inbox, undelivered } = inboxOf(ended, second)
    inbox.adopt("ses_1", 1)
    expect(undelivered()).toEqual(["j2"])
    inbox.adopt("ses_1", 0)
    expect(undelivered()).toEqual(["j2"])
  })

  it("are never those of another owner", () => {
    const { inbox, undelivered } = inboxOf(ended)
    inbox.markDelivered("other", [{ session: "ses_1", run: 1 }])
    expect(undelivered()).toEqual(["j1"])
  })

  it("are known again by their owner's id and theirs where a job never got a session", () => {
    const first = { ...ended, session: "", state: "failed" } as const
    const { inbox, undelivered } = inboxOf(first, { ...first, id: "j2" }, { ...first, owner: "other" })
    inbox.markDelivered("owner", [{ session: "", run: 1 }])
    expect(undelivered()).toEqual(["j1", "j2"])
    inbox.markDelivered("owner", deliveryMark([first]).delivered)
    expect([undelivered(), undelivered("other")]).toEqual([["j2"], ["j1"]])
  })

  it("are all of them again once the owner is forgotten, for nothing of it is kept", () => {
    const { inbox, troupe, undelivered } = inboxOf(ended)
    inbox.markDelivered("owner", [{ session: "ses_1", run: 1 }])
    troupe.forgetOwner("owner")
    troupe.adopt(ended)
    expect(undelivered()).toEqual(["j1"])
  })
})

describe("A result is delivered", () => {
  const mark = { troupe: deliveryMark([ended]) }
  const call = { id: "prt_1", sessionID: "owner", type: "tool", callID: "call", tool: "agents_wait" }
  const text = { id: "prt_1", sessionID: "owner", type: "text", text: "A background job has ended" }
  const updated = (part: object) => ({ type: "message.part.updated", properties: { part } })

  it.each([
    ["a tool's answer that opencode has stored", { ...call, state: { status: "completed", metadata: mark } }],
    ["a notification that opencode has stored", { ...text, metadata: mark }],
  ])("by %s", (_, part) => {
    const { inbox, undelivered } = inboxOf(ended)
    hear((event) => inbox.hear(event))(updated(part))
    expect(undelivered()).toEqual([])
  })

  it.each([
    ["a call that still runs", { ...call, state: { status: "running", metadata: mark } }],
    ["a call that failed", { ...call, state: { status: "error", metadata: mark } }],
    ["another tool's answer", { ...call, state: { status: "completed", metadata: { other: mark } } }],
    ["what somebody else has said", text],
    ["the conversation of another session", { ...text, sessionID: "other", metadata: mark }],
  ])("not by %s", (_, part) => {
    const { inbox, undelivered } = inboxOf(ended)
    hear((event) => inbox.hear(event))(updated(part))
    expect(undelivered()).toEqual(["j1"])
  })

  it("not by what a tool has answered and opencode could not store: a disk may be full", async () => {
    const { inbox, call } = testServices()
    await call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
    await call("agents_cancel", { ids: ["a"] }, { isStored: false })
    const first = await call("agents_wait", {}, { isStored: false })
    expect(first.output).toContain('<job id="a" state="cancelled"')
    expect(inbox.undelivered("owner").map(({ id }) => id)).toEqual(["a"])
    const next = await call("agents_wait", {})
    expect(next.output).toContain('<job id="a" state="cancelled"')
    expect(inbox.undelivered("owner")).toEqual([])
  })

  it("and said to be so once: to whoever listens, and to the store", () => {
    const { inbox, store, undelivered } = inboxOf(ended, second)
    const heard: string[] = []
    const stored: JobRecord[][] = []
    store.markDelivered = (records) => void stored.push([...records])
    const unsubscribe = inbox.subscribe((owner) => heard.push(owner))
    for (const _ of "ab") inbox.markDelivered("owner", [{ session: "ses_1", run: 1 }])
    inbox.markDelivered("owner", [])
    expect([heard, stored]).toEqual([["owner"], [[ended]]])
    unsubscribe()
    inbox.markDelivered("owner", [{ session: "ses_2", run: 1 }])
    expect([heard, undelivered()]).toEqual([["owner"], []])
  })
})

it("Texts leave memory with their delivery: forty answers of a megabyte leave nothing, and can still be had", async () => {
  const { host, troupe, inbox, call } = testServices({}, { concurrency: 64 })
  const tasks = Array.from({ length: 40 }, (_, index) => ({ id: `j${index}`, prompt: `${index}` }))
  await call("agents_start", { tasks })
  for (const { prompt, answer } of host.prompts) answer(prompt.text.padEnd(1_000_000, "x"))
  await call("agents_wait", {}, { isStored: false })
  const inMemory = () => troupe.records.of("owner").reduce((sum, { text = "" }) => sum + text.length, 0)
  expect(inMemory()).toBe(40_000_000)

  inbox.markDelivered("owner", deliveryMark(troupe.records.of("owner")).delivered)
  expect(inMemory()).toBe(0)
  expect(troupe.records.of("owner").filter(({ text }) => text !== undefined)).toEqual([])
  expect((await call("agents_wait", { ids: ["j7"] })).output).toMatch(/^7x{100}/m)
})
