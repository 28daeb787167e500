import { computed } from "@preact/signals"
import { inLineSince } from "../../../machines/durations.ts"
import { groupOf, standsFor } from "../../../machines/group.ts"
import type { Need } from "../../../machines/record.ts"
import type { JobView } from "../../feed/job-view.ts"
import { allJobs, findJob } from "./jobs.ts"
import { byNumber, isLive, keyOf } from "./words.ts"

/** `job`: the one that is needed; nothing where it is gone, or was never known here. */
export type Needed = { need: Need; job: JobView | undefined }

const inOwner = ({ owner }: JobView, id: string) => findJob(keyOf({ owner, id }))

/** What a job needs, in the order in which it was asked for. */
export const neededBy = (job: JobView): Needed[] =>
  (job.needs ?? []).map((need) => ({ need, job: inOwner(job, need.id) }))

/** Those of them that have not ended. */
export const openNeeds = (job: JobView): Needed[] =>
  neededBy(job).filter(({ job: needed }) => !needed || isLive(needed))

/** The jobs that need others, by the key of each of those. */
const dependents = computed(() => {
  const byNeed = new Map<string, JobView[]>()
  for (const job of allJobs.value)
    for (const { id } of job.needs ?? []) {
      const key = keyOf({ owner: job.owner, id })
      const known = byNeed.get(key)
      if (known) known.push(job)
      else byNeed.set(key, [job])
    }
  return byNeed
})

/** The jobs that need this one, in the order in which they were made. */
export const dependentsOf = (job: JobView): JobView[] => dependents.value.get(keyOf(job))?.toReversed() ?? []

/** From the need that broke to the first cause; empty where the job failed of something else. */
export function brokenBy(job: JobView): JobView[] {
  const chain: JobView[] = []
  for (let each: JobView | undefined = job; each?.error?.kind === "dependency"; ) {
    each = neededBy(each).find(({ need, job: needed }) => needed && isBroken(need, needed))?.job
    if (!each || chain.includes(each)) break
    chain.push(each)
  }
  return chain
}

const isBroken = ({ on }: Need, job: JobView) => on === "done" && !isLive(job) && job.state !== "done"

/** The jobs that may be those of a group, by its key. */
const byGroup = computed(() => {
  const groups = new Map<string, JobView[]>()
  for (const job of allJobs.value) {
    const group = groupOf(job.id)
    if (group === undefined) continue
    const key = keyOf({ owner: job.owner, id: group })
    const known = groups.get(key)
    if (known) known.push(job)
    else groups.set(key, [job])
  }
  return groups
})

/** The jobs of a group, one for each item that its list has by now. */
export const itemsOf = (job: JobView): JobView[] =>
  (byGroup.value.get(keyOf(job)) ?? [])
    .filter(({ id }) => standsFor(job, id))
    .toSorted((a, b) => byNumber(a.id, b.id))

/** Since when a job was in line for a slot. Epoch milliseconds. */
export const inLine = (job: JobView, now: number) =>
  job.needs ? inLineSince(job, (id) => inOwner(job, id)?.endedAt, now) : job.createdAt
