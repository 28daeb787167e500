import { describe, expect, it } from "vitest"
import type { Toast } from "../../../src/plugin/host/port.ts"
import { Deliveries } from "../../../src/plugin/owners/deliveries.ts"
import { hearOwners } from "../../../src/plugin/owners/events.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { gate } from "../../support/gate.ts"
import { ok } from "../support/host-double.ts"
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
    notify: "each",
    notifySeconds: 60,
    now: Date.now,
    reportError: (error) => expect.fail(String(error)),
  })
  const hear = hearOwners({ show: (toast) => toasts.push(toast), troupe, inbox, deliveries })
  const tasks = Array.from({ length: count }, (_, index) => ({ id: `j${index + 1}`, prompt: "work" }))
  if (count > 0) await services.call("agents_start", { tasks })
  return { ...services, toasts, deliveries, hear }
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
    const { hear, host, troupe, deliveries } = await ownerWithJobs(2, {
      abort: () => stopped.passed.then(() => ok(true)),
    })
    host.sessions.delete("owner")
    hear({ type: "session.deleted", session: "owner" })
    expect(troupe.records.of("owner").map(({ phase }) => phase)).toEqual(["stopping", "stopping"])
    stopped.open()
    await until(() => troupe.records.countOf("owner") === 0)
    expect([...deliveries.actors()]).toEqual([])
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
