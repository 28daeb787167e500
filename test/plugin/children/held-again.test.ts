import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { holdAgainOnChange } from "../../../src/plugin/children/held-again.ts"
import type { PermissionRule } from "../../../src/plugin/host/port.ts"
import { failed, hostDouble, okAgents } from "../support/host-double.ts"
import { agentOf, sessionOf } from "../support/opencode-data.ts"
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
      return () => {}
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
  // That is all: it is not looked at again, and nobody is told anything.
  const looks = vi.spyOn(host, "agents")
  await vi.advanceTimersByTimeAsync(60_000)
  expect(looks).not.toHaveBeenCalled()
  expect(host.logged.filter((line) => line.includes("may no longer do"))).toEqual([])
})

test("One that could not be held is held as soon as opencode answers, and a person is told once", async () => {
  const { host, change, ownRules } = await newChild()
  const asked = vi.fn(async () => failed("busy"))
  host.agents = asked
  await change()
  await vi.advanceTimersByTimeAsync(10_000)
  // At once, then after pauses that double from a quarter of a second.
  expect(asked).toHaveBeenCalledTimes(6)
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

/** The children of two owners, of which the one may not edit; one of them has no session yet. */
function newChildren() {
  const listeners = new Set<() => void>()
  const host = hostDouble({
    onAgentsChanged(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  })
  const sessions = [
    sessionOf("owner"),
    sessionOf("strict", { permission: [mayNotEdit] }),
    ...["ses_a", "ses_b"].map((id) => sessionOf(id)),
  ]
  for (const session of sessions) host.sessions.set(session.id, session)
  const jobs = [
    { id: "a", owner: "owner", session: "ses_a" },
    { id: "b", owner: "strict", session: "ses_b" },
    { id: "c", owner: "strict", session: "" },
  ].map((fields): JobRecord => ({ ...underWay, ...fields }))
  const stop = holdAgainOnChange({
    host,
    records: { all: () => jobs },
    store: { read: async () => undefined },
  })
  return {
    host,
    stop,
    listeners,
    change: async () => {
      for (const tell of listeners) tell()
      await vi.advanceTimersByTimeAsync(0)
    },
    rulesOf: (session: string) => host.sessions.get(session)?.permission ?? [],
    warnings: () => host.logged.filter((line) => line.startsWith("warn:")),
  }
}

const underWay = {
  description: "",
  agent: "general",
  state: "prompting",
  phase: "working",
  run: 1,
  createdAt: 1,
  usage: NO_USAGE,
} as const

test("Each child is held to its own owner, one that has no session yet is not asked about", async () => {
  const { host, change, rulesOf, warnings } = newChildren()
  const asked = vi.spyOn(host, "session")
  await change()
  expect(rulesOf("ses_b")).toContainEqual(mayNotEdit)
  expect(rulesOf("ses_a")).toEqual([])
  expect(asked).not.toHaveBeenCalledWith("")
  expect(warnings()).toEqual([])
})

test("Each change counts: what an owner may no longer do after the second one its child may not either", async () => {
  const { host, change, rulesOf } = newChildren()
  await change()
  host.sessions.set("owner", sessionOf("owner", { permission: [mayNotEdit] }))
  await change()
  expect(rulesOf("ses_a")).toContainEqual(mayNotEdit)
})

test("That one of several could not be held is told, whichever it is", async () => {
  const { host, change, rulesOf, warnings } = newChildren()
  const { session } = host
  host.session = async (id) => (id === "strict" ? failed("busy") : session(id))
  await change()
  expect(warnings()).toEqual([
    "warn: children may do what their owner may no longer do: opencode did not answer (busy)",
  ])
  host.session = session
  await vi.advanceTimersByTimeAsync(250)
  expect(rulesOf("ses_b")).toContainEqual(mayNotEdit)
})

test("Nobody is held any more once the plugin stops", async () => {
  const { host, change, stop, listeners } = newChildren()
  const asked = vi.fn(async () => failed("busy"))
  host.agents = asked
  await change()
  const before = asked.mock.calls.length
  stop()
  expect(listeners.size).toBe(0)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveBeenCalledTimes(before)
})
