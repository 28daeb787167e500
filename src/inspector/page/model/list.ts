import { computed } from "@preact/signals"
import type { JobView } from "../../feed/job-view.ts"
import { matches, parseQuery } from "../../http/query.ts"
import { address, go, type SortName } from "./address.ts"
import { allJobs, countByIdlePhase, countByState, isCounted, now } from "./jobs.ts"
import { without } from "./terms.ts"
import { type Row, treeOf } from "./tree.ts"
import { addressOf, byNumber, keyOf, STATES, timeOf, tokensOf } from "./words.ts"

export type { BatchRow, JobRow, OwnerRow, Row, Sums } from "./tree.ts"

type Find = (jobs: readonly JobView[]) => readonly JobView[]

/** What matches a search. It is asked once about each record: records are replaced, never changed. */
function finder(text: string): Find {
  const query = parseQuery(text)
  if (query.words.length === 0 && query.fields.size === 0) return (jobs) => jobs
  const known = new WeakMap<JobView, boolean>()
  const isFound = (job: JobView) => {
    const before = known.get(job)
    if (before !== undefined) return before
    const is = matches(job, query)
    known.set(job, is)
    return is
  }
  return (jobs) => jobs.filter(isFound)
}

/** Longest piece of work that nobody waits for, milliseconds. */
const slice = 8
let isPrepared = false

/** Reads all jobs before somebody searches in them, which takes longer than a letter. */
export function prepareSearch(): void {
  if (isPrepared) return
  isPrepared = true
  const query = parseQuery("-")
  const jobs = [...allJobs.peek()]
  const readOn = () => {
    const start = performance.now()
    for (let job = jobs.pop(); job && performance.now() - start < slice; job = jobs.pop()) matches(job, query)
    if (jobs.length > 0) setTimeout(readOn)
  }
  setTimeout(readOn)
}

const q = computed(() => address.value.q)
const find = computed(() => finder(q.value))
export const found = computed(() => find.value(allJobs.value))
export const countFound = computed(() => found.value.filter(isCounted).length)

const qInAnyState = computed(() => without(q.value, "state"))
const findInAnyState = computed(() => finder(qInAnyState.value))
const qInAnyPhase = computed(() => without(q.value, "phase"))
const findInAnyPhase = computed(() => finder(qInAnyPhase.value))

/** By state, within what else is searched for. */
export const countsFound = computed(() => countByState(findInAnyState.value(allJobs.value)))

/** The phases in which a job waits for a person. */
export const waitingPhases = ["permission", "question"] as const
export const waitingFound = computed(
  () => findInAnyPhase.value(allJobs.value).filter(({ asks }) => asks !== undefined).length,
)

/** Those that wait for something else: a slot, their provider, other jobs. */
export const idleFound = computed(() => countByIdlePhase(findInAnyPhase.value(allJobs.value)))

const sorters: Record<SortName, (a: JobView, b: JobView) => number> = {
  job: (a, b) => byNumber(a.id, b.id),
  state: (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state),
  agent: (a, b) => alphabetical(a.agent, b.agent),
  time: (a, b) => timeOf(a, now.peek()) - timeOf(b, now.peek()),
  tokens: (a, b) => tokensOf(a) - tokensOf(b),
  cost: (a, b) => a.usage.cost - b.usage.cost,
}

const alphabetical = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

const sorted = computed(() => {
  const { sort, isDescending } = address.value
  if (sort === "") return found.value
  const compare = sorters[sort]
  return found.value.toSorted((a, b) => (isDescending ? compare(b, a) : compare(a, b)))
})

/** The jobs as they are listed: flat, or grouped by owner, with the jobs that a job started nested under it. */
const unfolded = computed<Row[]>(() =>
  address.value.list === "flat"
    ? sorted.value.map((job): Row => ({ kind: "job", job, depth: 0, under: job.owner }))
    : treeOf(sorted.value),
)

const folds = computed(() => new Set(address.value.list === "tree" ? address.value.fold : []))

export const isFolded = (owner: string) => folds.value.has("*") !== folds.value.has(owner)

export const rows = computed<Row[]>(() =>
  folds.value.size === 0
    ? unfolded.value
    : unfolded.value.filter((row) => row.kind === "owner" || !isFolded(ownerOf(row))),
)

/** The owner whose fold hides the row. */
export const ownerOf = (row: Row) => (row.kind === "job" ? row.under : row.owner)

/** Collapses or expands an owner's jobs. It adds no step to the browser's history. */
export function toggleFold(owner: string): void {
  const { fold } = address.value
  go({ fold: fold.includes(owner) ? fold.filter((each) => each !== owner) : [...fold, owner] }, "replace")
}

export const foldAll = () => go({ fold: ["*"] }, "replace")
export const unfoldAll = () => go({ fold: [] }, "replace")

/** Names a row for the cursor. */
export function rowKey(row: Row): string {
  if (row.kind === "job") return addressOf(row.job)
  return row.kind === "owner" ? ownerKey(row.owner) : `batch:${row.owner}/${row.batch}`
}

export const ownerKey = (owner: string) => `owner:${owner}`

/** The index of the row that the cursor calls `where`; -1 when it is not listed. */
export function rowOf(where: string): number {
  return where === "" ? -1 : rows.value.findIndex((row) => isAt(row, where))
}

const isAt = (row: Row, where: string) =>
  rowKey(row) === where || (row.kind === "job" && keyOf(row.job) === where)

/** The row that a key leads to from the one at `where`. It skips the rows of expanded owners. */
export function neighbour(where: string, step: 1 | -1): Row | undefined {
  const isStop = (row: Row) => row.kind === "job" || (row.kind === "owner" && isFolded(row.owner))
  return nextOf(rows.value, where, step, isStop)
}

/** The same from an open job: only jobs can be open, whether their owner is collapsed or not. */
export function neighbourJob(where: string, step: 1 | -1): JobView | undefined {
  const row = nextOf(unfolded.value, where, step, ({ kind }) => kind === "job")
  return row?.kind === "job" ? row.job : undefined
}

/** At either end it stays where it is; from nowhere it starts at an end. */
function nextOf(
  list: readonly Row[],
  where: string,
  step: 1 | -1,
  isStop: (row: Row) => boolean,
): Row | undefined {
  const at = list.findIndex((row) => isAt(row, where))
  const start = at < 0 && step < 0 ? list.length : at
  for (let next = start + step; next >= 0 && next < list.length; next += step) {
    const row = list[next]
    if (row && isStop(row)) return row
  }
  return list[at]
}
