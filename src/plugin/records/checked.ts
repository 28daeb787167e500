import type { JobError, JobRecord } from "../../machines/record.ts"

export type Json = Exclude<JobRecord["structured"], undefined>

/** What of a child's answer fits the schema of its task; or what is wrong with it, in words. */
export type Checked = { value: Json } | { problems: string[] }

/** What a job fails with whose answer does not fit. */
export const unfit = (problems: readonly string[]): JobError => ({
  kind: "schema",
  message: `its answer does not fit: ${problems.join("; ")}`,
})
