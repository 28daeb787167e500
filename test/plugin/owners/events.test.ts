import { describe, expect, it } from "vitest"
import type { Toast } from "../../../src/plugin/host/port.ts"
import { Deliveries } from "../../../src/plugin/owners/deliveries.ts"
import { hearOwners } from "../../../src/plugin/owners/events.ts"
import { createLineage } from "../../../src/plugin/owners/lineage.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { gate } from "../../support/gate.ts"
import { ok } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"

quietXState()

async function ownerWithJobs(count: number, overrides: Parameters<typeof testServices>[0] = {}) {
  const services = testServices(overrides)
  const { host, troupe, inbox } = services
  const toasts: Toast[] = []
  const deliveries = new Deliveries({
    host,
    troupe,
    inbox,
    notify: "idle",
    now: Date.now,
    reportError: (error) => expect.fail(String(error)),
  })
  const lineage = createLineage(host, troupe.records)
  const hear = hearOwners({ show: (toast) => toasts.push(toast), troupe, inbox, deliveries, lineage })
  const tasks = Array.from({ length: count }, (_, index) => ({ id: `j${index + 1}`, prompt: "work" }))
  if (count > 0) await services.call("agents_start", { tasks })
  return { ...services, toasts, deliveries, lineage, hear }
}

describe("An owner whose turn is interrupted", () => {
  it.each([
    [1, "1 job is still running. To stop: ask the agent to cancel all jobs."],
    [2, "2 jobs are still running. To stop: ask the agent to cancel all jobs."],
  ])("keeps its jobs: the person is told how to stop the %i", async (count, message) => {
    const { hear, toasts, troupe } = await ownerWithJobs(count)
    hear({ type: "session.interrupted", session: "owner" })
    expect(toasts).toEqual([{ message, variant: "info" }])
    expect(troupe.records.of("owner").map(({ state }) => state)).not.toContain("cancelled")
  })

  it("says nothing where no job runs", async () => {
    const { hear, toasts, call } = await ownerWithJobs(1)
    await call("agents_cancel", { all: true })
    hear({ type: "session.interrupted", session: "owner" })
    hear({ type: "session.interrupted", session: "other" })
    expect(toasts).toEqual([])
  })
})

describe("An owner whose session is deleted", () => {
  it("takes its jobs along, and then nothing of it is kept", async () => {
    const stopped = gate<void>()
    const { hear, host, troupe, deliveries, lineage } = await ownerWithJobs(2, {
      abort: () => stopped.passed.then(() => ok(true)),
    })
    expect(await lineage.depthOf("owner")).toBe(0)
    host.sessions.delete("owner")
    hear({ type: "session.deleted", session: "owner" })
    expect(troupe.records.of("owner").map(({ phase }) => phase)).toEqual(["stopping", "stopping"])
    stopped.open()
    await until(() => troupe.records.countOf("owner") === 0)
    expect([...deliveries.actors()]).toEqual([])
    expect(await lineage.depthOf("owner")).toBeUndefined()
  })

  it("without jobs is forgotten at once", async () => {
    const { hear, host, lineage } = await ownerWithJobs(0)
    expect(await lineage.depthOf("owner")).toBe(0)
    host.sessions.delete("owner")
    hear({ type: "session.deleted", session: "owner" })
    expect(await lineage.depthOf("owner")).toBeUndefined()
  })
})

describe("How deep a session is", () => {
  it.each<[string, Parameters<Awaited<ReturnType<typeof ownerWithJobs>>["hear"]>[0]]>([
    ["a turn", { type: "session.idle", session: "other" }],
    ["the session", { type: "session.deleted", session: "other" }],
  ])("is not remembered after the end of %s", async (_, end) => {
    const { hear, host, lineage } = await ownerWithJobs(0)
    host.sessions.set("other", sessionOf("other"))
    expect(await lineage.depthOf("other")).toBe(0)
    host.sessions.delete("other")
    hear(end)
    expect(await lineage.depthOf("other")).toBeUndefined()
  })

  it("of an owner is remembered after its turn while jobs of it run, and no longer", async () => {
    const { hear, host, call, troupe, lineage } = await ownerWithJobs(1)
    hear({ type: "session.idle", session: "owner" })
    expect(await lineage.depthOf(troupe.records.get("owner", "j1")?.session ?? "")).toBe(1)
    host.sessions.delete("owner")
    expect(await lineage.depthOf("owner")).toBe(0)
    await call("agents_cancel", { all: true })
    expect(await lineage.depthOf("owner")).toBeUndefined()
  })
})

it("What a turn has delivered is known before its end is told, so that nothing is told twice", async () => {
  const { hear, call, host, inbox, deliveries } = await ownerWithJobs(1)
  host.prompts[0]?.answer("the answer")
  const { metadata } = await call("agents_wait", {}, { isStored: false })
  expect(inbox.undelivered("owner")).toHaveLength(1)
  hear({ type: "session.busy", session: "owner" })
  hear({ type: "tool.ended", session: "owner", call: "call", tool: "agents_wait", mark: metadata.troupe })
  hear({ type: "session.idle", session: "owner" })
  expect([...deliveries.actors()]).toEqual([])
})
