import { afterEach, expect, it } from "vitest"
import { SimulatedClock } from "xstate"
import { NO_USAGE } from "../../src/machines/record.ts"
import { createTroupe } from "../../src/machines/troupe.ts"
import { jobInput, OWNER, type ScriptedTroupe, scriptedTroupe } from "./support/scripted-troupe.ts"

let scripted: ScriptedTroupe

afterEach(() => scripted?.stop())

const key = (id: string) => ({ owner: OWNER, id })
const why = (id: string) => scripted.troupe.history(key(id)).map((step) => step.why)

it("tells each step with its event and its cause", async () => {
  scripted = scriptedTroupe()
  scripted.start("j1")
  await scripted.answer("j1")
  expect(scripted.troupe.history(key("j1"))).toMatchObject([
    { from: "", to: "created.opening", event: "start", why: "asked for by its owner" },
    {
      from: "created.opening",
      to: "prompting.working",
      event: "openSession done",
      why: "ready, and it had a slot",
    },
    {
      from: "prompting.working",
      to: "done",
      event: "promptChild done",
      why: "the child gave its final answer",
    },
  ])
})

it("says that all slots were busy", async () => {
  scripted = scriptedTroupe({ concurrency: 1 })
  scripted.start("j1")
  await scripted.until("j1", "prompting.working")
  scripted.start("j2")
  await scripted.until("j2", "created.queued")
  expect(why("j2").at(-1)).toBe("queued: 1 of 1 slots busy")
})

it("says who cancelled and why", async () => {
  scripted = scriptedTroupe()
  scripted.start("j1")
  await scripted.until("j1", "prompting.working")
  scripted.troupe.cancel([key("j1")], "not needed")
  await scripted.until("j1", "cancelled")
  expect(why("j1").slice(-2)).toEqual([
    "cancelled: not needed; the child is being stopped",
    "cancelled: not needed",
  ])
})

it("says which wait for people there was, and each attempt", async () => {
  scripted = scriptedTroupe()
  scripted.start("j1")
  await scripted.until("j1", "prompting.working")
  const tell = (event: Parameters<typeof scripted.troupe.tell>[1]) => scripted.troupe.tell(key("j1"), event)
  const ask = { id: "a", kind: "permission", text: "bash: rm -rf dist" } as const
  tell({ type: "child.asked", ask, at: 1 })
  tell({ type: "child.answered", ask: "a", at: 2 })
  tell({ type: "child.retrying", retry: { attempt: 1, reason: "overloaded", next: 9 }, at: 3 })
  tell({ type: "child.retrying", retry: { attempt: 2, reason: "overloaded", next: 9 }, at: 4 })
  tell({ type: "child.active", activity: { tool: "bash", at: 5 } })
  tell({ type: "child.active", activity: { tool: "read", at: 6 } })
  expect(why("j1").slice(2)).toEqual([
    "asks for permission: bash: rm -rf dist",
    "somebody answered",
    "attempt 1 failed, opencode tries again: overloaded",
    "attempt 2 failed, opencode tries again: overloaded",
    "the child runs bash",
  ])
})

it("says that the time ran out", async () => {
  const clock = new SimulatedClock()
  const effects = {
    openSession: async () => ({ session: "ses_child" }),
    promptChild: () => new Promise<never>(() => {}),
    stopChild: async () => ({ text: undefined, usage: NO_USAGE }),
  }
  const troupe = createTroupe({ effects, concurrency: 1, clock })
  troupe.start({ ...jobInput("j1"), idleMs: 300_000, timeoutMs: 900_000 })
  const at = (state: string) =>
    new Promise<void>((resolve) => troupe.records.subscribe((record) => record.state === state && resolve()))
  await at("prompting")
  clock.increment(300_000)
  await at("timedOut")
  expect(troupe.history(key("j1")).at(-1)?.why).toBe("timed out: no sign of life for 300 s")
  troupe.stop()
})

it("goes on with a follow-up, and stays bounded", async () => {
  scripted = scriptedTroupe()
  scripted.start("j1")
  await scripted.answer("j1")
  scripted.start("j1", { run: 2, session: "ses_child_j1" })
  expect(why("j1").slice(3)).toContain("ready, and a slot is free")
  for (let attempt = 0; attempt < 300; attempt++)
    scripted.troupe.tell(key("j1"), {
      type: "child.retrying",
      retry: { attempt, reason: "overloaded", next: 9 },
      at: attempt,
    })
  expect(scripted.troupe.history(key("j1")).length).toBe(100)
  const retry = { attempt: 301, reason: "x".repeat(100_000), next: 9 }
  scripted.troupe.tell(key("j1"), { type: "child.retrying", retry, at: 301 })
  expect(why("j1").at(-1)?.length).toBeLessThan(1_000)
})

it("shows the actors that live", async () => {
  scripted = scriptedTroupe({ concurrency: 1 })
  scripted.start("j0")
  await scripted.answer("j0")
  scripted.start("j1")
  await scripted.until("j1", "prompting.working")
  expect(scripted.troupe.actors()).toMatchObject({
    kind: "system",
    counts: { supervisors: 1, slots: 1, busy: 1, waiting: 0 },
    children: [
      {
        kind: "supervisor",
        id: OWNER,
        counts: { done: 1, prompting: 1 },
        children: [
          { kind: "job", id: "j1", state: "prompting.working", session: "ses_child_j1", children: [] },
        ],
      },
    ],
  })
})
