import * as z from "zod"
import { JobRecord } from "../../src/machines/record.ts"
import type { ToolOutcome } from "./any-opencode.ts"
import type { Reply } from "./replies.ts"

const Jobs = z.array(JobRecord)

/** The records that a tool's result, or a running call, carries: in its order. */
export function jobsOf({ metadata }: Pick<ToolOutcome, "metadata">): JobRecord[] {
  return Jobs.parse(metadata.jobs)
}

/** The only record of a result. */
export function jobOf(outcome: Pick<ToolOutcome, "metadata">): JobRecord {
  const [job, ...others] = jobsOf(outcome)
  if (!job || others.length > 0) throw new Error(`Not one job: ${JSON.stringify(outcome)}`)
  return job
}

/** An answer of the model that stands still after its first words until the test goes on with it. */
export function held(text = ""): { reply: Reply; release(rest: string): void } {
  let release: (rest: string) => void = () => {}
  const until = new Promise<string>((resolve) => {
    release = resolve
  })
  return { reply: { type: "hold", text, until }, release: (rest) => release(rest) }
}
