import fc from "fast-check"
import { describe, it } from "vitest"
import { races } from "../support/depth.ts"
import { quietXState } from "./support/quiet.ts"
import { race, run } from "./support/race.ts"

quietXState()

// When one fails, fast-check prints the shortest race it found, the order of what happened in it, and the seed.
describe("Answers, errors, cancels, timeouts, asks, defects and follow-ups of several owners' jobs", () => {
  it(`in ${races.machines} orders: every job ends once, every slot comes back, every unfinished child is stopped`, {
    timeout: 60_000 + races.machines * 20,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), race, (scheduler, given) => run(given, scheduler)),
      { numRuns: races.machines },
    )
  })
})
