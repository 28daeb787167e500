import fc, { type Scheduler } from "fast-check"
import { describe, expect, it } from "vitest"
import { NO_USAGE } from "../../../src/machines/record.ts"
import type { Markers } from "../../../src/plugin/records/claim-markers.ts"
import { createClaims } from "../../../src/plugin/records/claims.ts"
import type { Holder } from "../../../src/plugin/records/lease.ts"
import { type Lease, StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { failed, hostDouble } from "../support/host-double.ts"
import { leaseOf, left } from "../support/left-job.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { frozenTime, inEveryOrder, timeout } from "../support/races.ts"

frozenTime()

/** The disk and opencode's store, as several processes see them: each step of each when the scheduler says. */
class Machine {
  readonly living = new Set<string>()
  readonly #markers = new Map<string, Lease>()
  readonly #scheduler: Scheduler
  /** As opencode has it. */
  stored: StoredJob = left

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  get holder(): string {
    return this.stored.lease.instance
  }

  /** A process that dies takes no further step: what it waits for never comes. */
  async #step(name: string, what: string): Promise<void> {
    await this.#scheduler.schedule(Promise.resolve(), `${name}: ${what}`)
    if (!this.living.has(name)) await new Promise(() => {})
  }

  start(name: string, faults: string[] = []) {
    this.living.add(name)
    const holder: Holder = {
      instance: name,
      lease: Promise.resolve(leaseOf(name)),
      isOurs: ({ instance }) => instance === name,
      isHeld: async ({ instance }) => {
        await this.#step(name, `looks whether ${instance} lives`)
        return this.living.has(instance)
      },
      drop: () => {},
    }
    const markers: Markers = {
      take: async (key, by) => {
        await this.#step(name, "makes a marker")
        const held = this.#markers.get(key)
        if (!held) this.#markers.set(key, by)
        await this.#step(name, held ? `finds the marker of ${held.instance}` : "has made it")
        return held ? { type: "held", by: held } : { type: "taken" }
      },
      remove: async (key) => {
        await this.#step(name, "removes a marker")
        this.#markers.delete(key)
      },
    }
    const host = hostDouble({
      session: async (id) => {
        await this.#step(name, "reads the job")
        return {
          ok: true,
          value: {
            ...sessionOf(id),
            isReverted: false,
            rules: [],
            usage: NO_USAGE,
            updatedAt: 0,
            stored: this.stored,
          },
        }
      },
      // No compare-and-set: what comes between the read and the write is overwritten.
      updateStored: async (_, change) => {
        await this.#step(name, "reads the job")
        const changed = change(this.stored)
        await this.#step(name, "writes the job")
        const fault = faults.shift()
        if (fault === "not written") return failed("not now")
        if (changed) this.stored = StoredJob.parse(changed)
        await this.#step(name, "has written")
        return fault === "written, not said so" ? failed("no answer") : { ok: true, value: undefined }
      },
    })
    return createClaims(host, holder, markers)
  }
}

describe("Processes that start at the same moment and claim the job of a dead one", () => {
  const race = fc.record({
    starters: fc.integer({ min: 2, max: 4 }),
    /** Those that die, whenever that is. */
    dying: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
    faults: fc.array(fc.constantFrom("none", "not written", "written, not said so"), { maxLength: 3 }),
  })

  it("never both run it, and one does in the end, whoever of them dies on the way", { timeout }, async () => {
    await inEveryOrder(race, async (scheduler, { starters, dying, faults }) => {
      const machine = new Machine(scheduler)
      const names = Array.from({ length: starters }, (_, index) => `p${index}`)
      const runs = new Set<string>()
      const broken: string[] = []
      const claimOf = (name: string, claims: ReturnType<Machine["start"]>) =>
        claims.claim("owner", [{ session: "ses_1", stored: machine.stored }]).then(([claim]) => {
          if (claim !== "taken" || !machine.living.has(name)) return claim
          const others = [...runs].filter((other) => other !== name && machine.living.has(other))
          if (others.length > 0) broken.push(`${name} runs it beside ${others}`)
          runs.add(name)
          return claim
        })

      for (const [index, name] of names.entries()) {
        void claimOf(name, machine.start(name, index === 0 ? [...faults] : []))
        if (dying.includes(index)) {
          void scheduler.schedule(Promise.resolve(), `${name} dies`).then(() => machine.living.delete(name))
        }
      }
      await scheduler.waitIdle()
      // Whoever was not sure looks again, at the job as it is by then, and so does one that starts later.
      for (const name of [...machine.living, "late"]) {
        if ([...runs].some((each) => machine.living.has(each))) break
        void claimOf(name, machine.start(name))
        await scheduler.waitIdle()
      }

      expect(broken).toEqual([])
      const running = [...runs].filter((name) => machine.living.has(name))
      expect(running).toHaveLength(1)
      expect(machine.holder).toBe(running[0])
    })
  })
})
