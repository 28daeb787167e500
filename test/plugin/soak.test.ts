import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { Effects } from "../../src/machines/effects.ts"
import { hasEnded } from "../../src/machines/record.ts"
import { createTroupe, type Troupe } from "../../src/machines/troupe.ts"
import { type Watch, watchChildren } from "../../src/plugin/children/watch.ts"
import { CountingClock } from "../machines/support/counting-clock.ts"
import { dawn, jobInput, usage } from "../machines/support/jobs.ts"
import { settled } from "../machines/support/play.ts"
import { quietXState } from "../machines/support/quiet.ts"
import { isDeep } from "../support/depth.ts"
import { hear } from "./support/hear.ts"

/** A third of the jobs has a fault, each kind as often. */
const faults = ["refused", "wordless", "nonsense", "cancelled", "late"]
const kindOf = (index: number) => (index % 3 === 2 ? (faults[Math.floor(index / 3) % 5] ?? "fine") : "fine")

describe("Many jobs, a third of them faulty", () => {
  // Few at once: what a timer costs grows with those that run beside it.
  const jobsInRound = 300
  const clock = new CountingClock()
  const now = () => dawn + clock.now()
  const effects: Effects = {
    openSession: async (job) => ({ session: `ses_${job.owner}_${job.id}` }),
    promptChild: async ({ job }, signal) => {
      const spent = usage(10)
      await settled()
      switch (job.prompt) {
        case "refused":
          return { text: "", usage: spent, error: { kind: "provider", message: "no" } }
        case "nonsense":
          throw new Error("no stream")
        case "cancelled":
        case "late":
          return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        case "wordless":
          return { text: "", usage: spent }
        default:
          return { text: `the answer of ${job.id}`, usage: spent }
      }
    },
    lookForAnswer: async () => {},
    recordEnd: async () => {},
    runCheck: () => Promise.reject(new Error("no job here has one")),
    leaveChild: async ({ job: { prompt } }) => ({ prompt, changed: [] }),
    stopChild: async () => ({ text: "so far", usage: usage(5) }),
  }
  let troupe: Troupe

  quietXState()

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    troupe = createTroupe({ effects, concurrency: 64, now, clock })
  })
  afterEach(() => {
    troupe.stop()
    vi.useRealTimers()
  })

  test("leave their records and histories: no actor, no timer, no more memory", async () => {
    const watch = watchChildren(troupe, { now })
    await round(watch, "warm-up")
    const before = await heap()
    const rounds = Array.from({ length: isDeep ? 9 : 3 }, (_, index) => `round ${index}`)
    for (const name of rounds) await round(watch, name)
    const grown = (await heap()) - before

    expect(clock.pending).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
    const { counts, children } = troupe.actors()
    expect(counts).toMatchObject({ busy: 0, waiting: 0 })
    expect(children.flatMap((supervisor) => supervisor.children)).toEqual([])

    const kept = rounds.flatMap((owner) => troupe.records.of(owner))
    const states = countBy(kept.map(({ state }) => state))
    expect(kept).toHaveLength(rounds.length * jobsInRound)
    expect(states).toEqual({
      done: 220 * rounds.length,
      failed: 40 * rounds.length,
      cancelled: 20 * rounds.length,
      timedOut: 20 * rounds.length,
    })
    const size = kept.reduce((sum, job) => sum + JSON.stringify([job, troupe.history(job)]).length, 0)
    // In memory a record takes about three times what it takes as JSON.
    expect(grown).toBeLessThan(4 * size)
  }, 60_000)

  async function round(watch: Watch, owner: string): Promise<void> {
    for (let index = 0; index < jobsInRound; index++) {
      const id = `j${index}`
      const prompt = kindOf(index)
      const timeoutMs = prompt === "late" ? 1_000 : 60_000
      troupe.start(jobInput({ id, owner, prompt, createdAt: now(), askedAt: now(), timeoutMs }))
    }
    const jobs = () => troupe.records.of(owner)
    while (!jobs().every(hasEnded)) {
      await settled()
      for (const { id, session, state } of jobs()) {
        if (state !== "prompting") continue
        for (const event of newsOf(session)) hear(watch.handle)(event)
        if (kindOf(Number(id.slice(1))) === "cancelled") troupe.cancel([{ owner, id }], "no longer needed")
      }
      await settled()
      clock.increment(1_000)
    }
    await settled()
  }

  /** A child writes, is in trouble, and asks. */
  const newsOf = (sessionID: string) => [
    { type: "message.part.delta", properties: { sessionID, partID: "prt", field: "text", delta: "so far" } },
    {
      type: "session.status",
      properties: { sessionID, status: { type: "retry", attempt: 1, message: "busy", next: 2 } },
    },
    {
      type: "permission.asked",
      properties: { sessionID, id: `per_${sessionID}`, permission: "bash", patterns: ["ls"] },
    },
    { type: "permission.replied", properties: { sessionID, requestID: `per_${sessionID}` } },
    {
      type: "message.part.delta",
      properties: { sessionID, partID: "prt", field: "text", delta: "and more" },
    },
  ]
})

/** Bytes in use once the garbage is gone: what is held weakly only goes in a later turn than the one that has seen it. */
async function heap(): Promise<number> {
  setFlagsFromString("--expose-gc")
  const collect: unknown = runInNewContext("gc")
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (typeof collect === "function") collect()
  }
  return process.memoryUsage().heapUsed
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
