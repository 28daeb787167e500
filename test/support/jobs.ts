import * as z from "zod"
import { JobRecord } from "../../src/machines/record.ts"
import type { StoredJob } from "../../src/plugin/records/stored-job.ts"
import type { AnyProject, ToolOutcome } from "./any-opencode.ts"
import type { Reply } from "./replies.ts"
import { poll } from "./waiters.ts"

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

/** A job's record in opencode's store, once it is as is asked: records are written behind the tools' back. */
export function recordOf(
  project: AnyProject,
  owner: string,
  id: string,
  matches: (record: StoredJob["record"]) => boolean,
): Promise<StoredJob["record"]> {
  return poll(`the record of ${id}`, async () => {
    const records = (await project.stored(owner)).map(({ record }) => record)
    return records.find((record) => record.id === id && matches(record))
  })
}

/** An answer of the model that stands still after its first words until the test goes on with it. */
export function held(text = ""): { reply: Reply; release(rest: string): void } {
  let release: (rest: string) => void = () => {}
  const until = new Promise<string>((resolve) => {
    release = resolve
  })
  return { reply: { type: "hold", text, until }, release: (rest) => release(rest) }
}
