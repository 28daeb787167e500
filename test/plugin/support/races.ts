import fc, { type Scheduler } from "fast-check"
import { afterEach, beforeEach, vi } from "vitest"
import { quietXState } from "../../machines/support/quiet.ts"
import { races } from "../../support/depth.ts"
import { inAnyOrder } from "./any-order.ts"
import { testServices } from "./services.ts"

export const numRuns = races.plugin
/** For a test of races, milliseconds: ten times what it takes, for a busy machine. */
export const timeout = 30_000 + numRuns * 300

/** Time stands still but where the test lets it pass. `setImmediate` stays, for what waits for promises. */
export function frozenTime(): void {
  quietXState()
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 1_000_000 }))
  afterEach(() => void vi.useRealTimers())
}

/** The tools, where each call and each answer of opencode comes when the scheduler says. */
export function racedServices(
  scheduler: Scheduler,
  overrides: Parameters<typeof testServices>[0] = {},
  options: Parameters<typeof testServices>[1] = {},
) {
  const services = testServices(overrides, options, (host) => inAnyOrder(host, scheduler))
  return {
    ...services,
    /** Lets something happen in whatever order. */
    soon(what: string, act: () => void) {
      void scheduler.schedule(Promise.resolve(), what).then(act)
    },
    /** All that is under way comes to its end; time passes until nothing more happens. */
    async settle(roundMs = 200) {
      for (let round = 0; round < 20; round++) {
        await scheduler.waitIdle()
        await vi.advanceTimersByTimeAsync(roundMs)
      }
      await scheduler.waitIdle()
    },
  }
}

/** In the order of its calls and answers that the scheduler picks. */
export const inEveryOrder = <T>(
  given: fc.Arbitrary<T>,
  test: (scheduler: Scheduler, given: T) => Promise<void>,
) =>
  fc.assert(
    // The timers that one order leaves behind would slow down those of the next.
    fc.asyncProperty(fc.scheduler(), given, test).afterEach(() => void vi.clearAllTimers()),
    { numRuns },
  )
