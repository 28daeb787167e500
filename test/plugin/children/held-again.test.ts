import { afterEach, beforeEach, expect, test, vi } from "vitest"
import type { PermissionRule } from "../../../src/plugin/host/port.ts"
import { failed, okAgents } from "../support/host-double.ts"
import { agentOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const mayNotEdit: PermissionRule = { permission: "edit", pattern: "*", action: "deny" }

/** A child at work, and what its agents' change sets off. */
async function newChild() {
  let change = () => {}
  const { host, call } = testServices({
    onAgentsChanged(listener) {
      change = listener
    },
  })
  const { jobs } = await call("agents_start", { tasks: [{ prompt: "work" }] })
  const [{ session } = { session: "" }] = jobs
  await vi.waitUntil(() => host.prompts.length === 1)
  return {
    host,
    change: async () => {
      change()
      await vi.advanceTimersByTimeAsync(0)
    },
    ownRules: () => host.sessions.get(session)?.permission ?? [],
  }
}

const lessForOwner = okAgents(agentOf("build", [mayNotEdit], { mode: "primary" }), agentOf("general"))

test("A child at work is held to what its owner may once the agents have changed", async () => {
  const { host, change, ownRules } = await newChild()
  expect(ownRules()).not.toContainEqual(mayNotEdit)
  host.agents = async () => lessForOwner
  await change()
  expect(ownRules()).toContainEqual(mayNotEdit)
})

test("One that could not be held is held as soon as opencode answers, and a person is told once", async () => {
  const { host, change, ownRules } = await newChild()
  host.agents = async () => failed("busy")
  await change()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(host.logged.filter((line) => line.includes("may no longer do"))).toEqual([
    "warn: children may do what their owner may no longer do: opencode did not answer (busy)",
  ])
  host.agents = async () => lessForOwner
  await vi.advanceTimersByTimeAsync(30_000)
  expect(ownRules()).toContainEqual(mayNotEdit)
})

test("A child whose job has ended keeps its rules", async () => {
  const { host, change, ownRules } = await newChild()
  host.prompts[0]?.answer("done")
  await vi.advanceTimersByTimeAsync(0)
  const before = ownRules()
  host.agents = async () => lessForOwner
  await change()
  expect(ownRules()).toEqual(before)
})
