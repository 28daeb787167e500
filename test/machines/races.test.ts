import fc from "fast-check"
import { describe, it } from "vitest"
import { quietXState } from "./support/quiet.ts"
import { race, run } from "./support/race.ts"

/** `TROUPE_DEEP=20000 npx vitest run --project unit test/machines/races` explores more of them. */
const numRuns = Number(process.env.TROUPE_DEEP ?? 500)

quietXState()

// When one fails, fast-check prints the shortest race it found, the order of what happened in it, and the seed.
describe("Answers, errors, cancels, timeouts, asks, defects and follow-ups of several owners' jobs", () => {
  it(`in ${numRuns} orders: every job ends once, every slot comes back, every unfinished child is stopped`, {
    timeout: 60_000 + numRuns * 20,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), race, (scheduler, given) => run(given, scheduler)),
      { numRuns },
    )
  })
})
