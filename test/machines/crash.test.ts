import { describe, expect, it } from "vitest"
import { createActor, fromPromise } from "xstate"
import { rowsOf } from "../../scripts/docs/transitions.ts"
import { type CrashInput, crashMachine } from "../../src/machines/crash-machine.ts"
import type { ChildInput, StopChildOutput } from "../../src/machines/effects.ts"
import { crashReasons } from "../../src/machines/reasons.ts"
import { type JobRecord, NO_USAGE } from "../../src/machines/record.ts"
import { CountingClock } from "./support/counting-clock.ts"
import { dawn, jobInput, usage } from "./support/jobs.ts"
import { settled } from "./support/play.ts"
import { quietXState } from "./support/quiet.ts"
import { takenIn, transitionsOf } from "./support/transitions.ts"

quietXState()

const outcomes = ["is done", "fails", "takes too long"] as const
type Outcome = (typeof outcomes)[number]

/** How the end is stored, and how the child is stopped where it was prompted. */
const ways: [record: Outcome, stop: Outcome | undefined][] = outcomes.flatMap((record) =>
  [undefined, ...outcomes].map((stop): [Outcome, Outcome | undefined] => [record, stop]),
)

describe("A job whose actor has crashed", () => {
  const taken = new Set<string>()

  it.each(ways)("ends once, where storing that %s and stopping its child %s", async (record, stop) => {
    const run = new Run(stop !== undefined, taken)
    expect(run.asked).toEqual(["recordEnd"])
    await run.settle(record)
    // Between two steps it is JSON, as a durable engine keeps it.
    expect(JSON.parse(JSON.stringify(run.context))).toEqual(run.context)
    expect(run.asked).toEqual(["recordEnd", ...(stop ? ["stopChild"] : [])])
    if (stop) await run.settle(stop)
    const written = stop === "is done" ? { text: "half", usage: usage(3) } : {}
    expect(run.end).toEqual({ ...failed, ...written })
    expect(run.clock.pending).toBe(0)
  })

  it.each(transitionsOf(crashMachine))("takes %s", (name) => {
    expect(taken).toContain(name)
  })

  it("has a reason for each transition, in a sentence", () => {
    for (const row of rowsOf(crashMachine, crashReasons)) expect(row.reason).toMatch(/^\S.+\.$/)
  })
})

const failed: JobRecord = {
  id: "j1",
  session: "ses_1",
  owner: "owner",
  description: "a job",
  agent: "general",
  state: "failed",
  run: 1,
  createdAt: dawn,
  endedAt: dawn,
  usage: NO_USAGE,
  error: { kind: "prompt", message: "a defect" },
}

/** One crash, whose effects the test settles. */
class Run {
  readonly clock = new CountingClock()
  readonly asked: string[] = []
  readonly #actor
  #pending: { resolve(output: StopChildOutput): void; reject(error: Error): void } | undefined

  constructor(wasPrompted: boolean, taken: Set<string>) {
    const effect = (name: string) => {
      this.asked.push(name)
      return new Promise<StopChildOutput>((resolve, reject) => {
        this.#pending = { resolve, reject }
      })
    }
    const machine = crashMachine.provide({
      actors: {
        recordEnd: fromPromise<void, JobRecord>(async () => void (await effect("recordEnd"))),
        stopChild: fromPromise<StopChildOutput, ChildInput>(() => effect("stopChild")),
      },
    })
    const input: CrashInput = {
      record: failed,
      ...(wasPrompted && { child: { job: jobInput({ id: "j1" }), session: "ses_1" } }),
    }
    this.#actor = createActor(machine, {
      input,
      clock: this.clock,
      inspect: (inspected) => {
        for (const name of takenIn(inspected)) taken.add(name)
      },
    }).start()
  }

  get context() {
    return this.#actor.getSnapshot().context
  }

  get end() {
    return this.#actor.getSnapshot().output
  }

  async settle(outcome: Outcome): Promise<void> {
    const { asked } = this
    if (outcome === "is done") this.#pending?.resolve({ text: "half", usage: usage(3) })
    else if (outcome === "fails") this.#pending?.reject(new Error("opencode is away"))
    else this.clock.increment(asked.at(-1) === "recordEnd" ? 2_000 : 5_000)
    await settled()
  }
}
