import { computed } from "@preact/signals"
import type { JobView } from "../../job-view.ts"
import { matches, parseQuery } from "../../query.ts"
import { address } from "./address.ts"
import { allJobs } from "./jobs.ts"
import { addressOf, keyOf } from "./words.ts"

export type OwnerRow = { kind: "owner"; owner: string; project: string; jobs: number; live: number }
export type JobRow = { kind: "job"; job: JobView; depth: number }
export type Row = OwnerRow | JobRow

const query = computed(() => parseQuery(address.value.q))

export const found = computed(() => {
  const asked = query.value
  const isOpen = asked.words.length === 0 && asked.fields.size === 0
  return isOpen ? allJobs.value : allJobs.value.filter((job) => matches(job, asked))
})

/** The jobs as they are listed: flat, or each owner's under it, and under a job those that it started itself. */
export const rows = computed<Row[]>(() =>
  address.value.list === "flat"
    ? found.value.map((job): Row => ({ kind: "job", job, depth: 0 }))
    : treeOf(found.value),
)

function treeOf(jobs: readonly JobView[]): Row[] {
  const byOwner = new Map<string, JobView[]>()
  for (const job of jobs) {
    const theirs = byOwner.get(job.owner)
    if (theirs) theirs.push(job)
    else byOwner.set(job.owner, [job])
  }
  const sessions = new Set(jobs.map(({ session }) => session))
  const branch = (owner: string, depth: number): Row[] =>
    (byOwner.get(owner) ?? []).flatMap((job): Row[] => [
      { kind: "job", job, depth },
      ...(byOwner.has(job.session) ? branch(job.session, depth + 1) : []),
    ])
  return [...byOwner].flatMap(([owner, theirs]): Row[] => {
    if (sessions.has(owner)) return []
    const live = theirs.filter(({ state }) => state === "created" || state === "prompting").length
    const project = theirs[0]?.project ?? ""
    return [{ kind: "owner", owner, project, jobs: theirs.length, live }, ...branch(owner, 0)]
  })
}

/** The row of the job at `where`; -1 when it is not listed. */
export function rowOf(where: string): number {
  if (where === "") return -1
  return rows.value.findIndex(
    (row) => row.kind === "job" && (addressOf(row.job) === where || keyOf(row.job) === where),
  )
}

/** The job `step` jobs further in the list, from the one at `where`; the first or last one at the ends. */
export function neighbour(where: string, step: 1 | -1): JobView | undefined {
  const list = rows.value.flatMap((row) => (row.kind === "job" ? [row.job] : []))
  const at = list.findIndex((job) => addressOf(job) === where || keyOf(job) === where)
  if (at < 0) return step > 0 ? list[0] : list.at(-1)
  return list[Math.min(list.length - 1, Math.max(0, at + step))]
}
