import { computed } from "@preact/signals"
import type { JobView } from "../../feed/job-view.ts"
import { matches, parseQuery } from "../../http/query.ts"
import { address, go } from "./address.ts"
import { allJobs } from "./jobs.ts"
import { type Row, treeOf } from "./tree.ts"
import { addressOf, keyOf } from "./words.ts"

export type { JobRow, OwnerRow, Row } from "./tree.ts"

const query = computed(() => parseQuery(address.value.q))

export const found = computed(() => {
  const asked = query.value
  const isOpen = asked.words.length === 0 && asked.fields.size === 0
  return isOpen ? allJobs.value : allJobs.value.filter((job) => matches(job, asked))
})

/** The jobs as they are listed: flat, or grouped by owner, with the jobs that a job started nested under it. */
const unfolded = computed<Row[]>(() =>
  address.value.list === "flat"
    ? found.value.map((job): Row => ({ kind: "job", job, depth: 0, under: job.owner }))
    : treeOf(found.value),
)

const folds = computed(() => new Set(address.value.list === "tree" ? address.value.fold : []))

export const isFolded = (owner: string) => folds.value.has("*") !== folds.value.has(owner)

export const rows = computed<Row[]>(() =>
  folds.value.size === 0
    ? unfolded.value
    : unfolded.value.filter((row) => row.kind === "owner" || !isFolded(row.under)),
)

/** Collapses or expands an owner's jobs. It adds no step to the browser's history. */
export function toggleFold(owner: string): void {
  const { fold } = address.value
  go({ fold: fold.includes(owner) ? fold.filter((each) => each !== owner) : [...fold, owner] }, "replace")
}

export const foldAll = () => go({ fold: ["*"] }, "replace")
export const unfoldAll = () => go({ fold: [] }, "replace")

/** Names a row for the cursor. */
export const rowKey = (row: Row) => (row.kind === "owner" ? ownerKey(row.owner) : addressOf(row.job))

export const ownerKey = (owner: string) => `owner:${owner}`

/** The index of the row that the cursor calls `where`; -1 when it is not listed. */
export function rowOf(where: string): number {
  return where === "" ? -1 : rows.value.findIndex((row) => isAt(row, where))
}

const isAt = (row: Row, where: string) =>
  rowKey(row) === where || (row.kind === "job" && keyOf(row.job) === where)

/** The row that a key leads to from the one at `where`. It skips the rows of expanded owners. */
export function neighbour(where: string, step: 1 | -1): Row | undefined {
  const isStop = (row: Row) => row.kind === "job" || isFolded(row.owner)
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
