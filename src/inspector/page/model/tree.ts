import type { JobView } from "../../feed/job-view.ts"
import { isLive } from "./words.ts"

export type OwnerRow = { kind: "owner"; owner: string; project: string; jobs: number; live: number }
/** `under` is the owner at the top of its tree. */
export type JobRow = { kind: "job"; job: JobView; depth: number; under: string }
export type Row = OwnerRow | JobRow

/** Grouped by owner, with the jobs that a job started nested under it. */
export function treeOf(jobs: readonly JobView[]): Row[] {
  const byOwner = new Map<string, JobView[]>()
  for (const job of jobs) {
    const theirs = byOwner.get(job.owner)
    if (theirs) theirs.push(job)
    else byOwner.set(job.owner, [job])
  }
  const sessions = new Set(jobs.map(({ session }) => session))
  return [...byOwner].flatMap(([owner, theirs]): Row[] => {
    if (sessions.has(owner)) return []
    const live = theirs.filter(isLive).length
    const project = theirs[0]?.project ?? ""
    return [{ kind: "owner", owner, project, jobs: theirs.length, live }, ...branchOf(owner, byOwner)]
  })
}

/** An owner's jobs, each followed by those that it started: without recursion, for jobs may nest very deep. */
function branchOf(under: string, byOwner: ReadonlyMap<string, readonly JobView[]>): JobRow[] {
  const rows: JobRow[] = []
  const rowsOf = (owner: string, depth: number) =>
    (byOwner.get(owner) ?? []).map((job): JobRow => ({ kind: "job", job, depth, under })).reverse()
  const stack = rowsOf(under, 0)
  for (let row = stack.pop(); row; row = stack.pop()) {
    rows.push(row)
    stack.push(...rowsOf(row.job.session, row.depth + 1))
  }
  return rows
}
