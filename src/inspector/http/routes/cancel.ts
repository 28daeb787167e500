import { Hono } from "hono"
import { hasEnded } from "../../../machines/record.ts"
import type { Source, Sources } from "../../source.ts"
import { CancelJobsBody, type CancelledAnswer } from "../api.ts"
import { parseBodyOf } from "../parse.ts"
import { refuseIfReadOnly } from "../read-only.ts"

/** Cancels all running jobs of an owner. */
export function cancelRoutes(sources: Sources): Hono {
  return new Hono().post("/", async (c) => {
    const { owner, batch, reason } = await parseBodyOf(c, CancelJobsBody)
    const found = sources.list().map((source) => ({ source, jobs: runningOf(source, owner, batch) }))
    const running = found.filter(({ jobs }) => jobs.length > 0)
    for (const { source } of running) refuseIfReadOnly(source)
    for (const { source, jobs } of running) source.cancel(jobs, reason)
    const cancelled = running.reduce((count, { jobs }) => count + jobs.length, 0)
    return c.json({ cancelled } satisfies CancelledAnswer, 202)
  })
}

const runningOf = ({ records }: Source, owner: string, batch: string | undefined) =>
  records
    .of(owner)
    .filter((record) => !hasEnded(record) && record.phase !== "stopping")
    .filter((record) => batch === undefined || record.batch === batch)
