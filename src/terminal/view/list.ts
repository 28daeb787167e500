import { descriptionOf } from "../../machines/description.ts"
import { countsOf, sortedByUrgency } from "../glance.ts"
import { hasEnded, type Overview, type ShownJob, type Spending } from "../jobs.ts"
import { countedAs, countWords, keyOf, stateWords } from "./rows.ts"
import { spentWords } from "./spent.ts"

/** A line of the list of all jobs. */
export type Line =
  | { kind: "gap"; key: string }
  | { kind: "owner"; key: string; title: string; counts: string }
  | { kind: "batch"; key: string; words: string }
  | { kind: "job"; key: string; job: ShownJob }

/**
 * By owner, where something began last first, and by the call that started them; those that need the person first.
 * @param titleOf the title of an owner's session
 */
export function linesOf(
  { jobs, budgets }: Overview,
  titleOf: (owner: string) => string,
  now: number,
): Line[] {
  return byLatest(jobs, ({ owner }) => owner).flatMap(([owner, ofOwner], index) => {
    const batches = batchesOf(ofOwner)
    const spentBy = (of: Spending["of"], name: string) =>
      budgets.flatMap((each) => (each.of === of && each.name === name ? [spentWords(each)] : []))
    const wordsOf = (batch: Batch) => [batchWords(batch, now), ...spentBy("batch", batch.name)].join(" · ")
    // The batch of all its jobs has a line of its own for its budget alone.
    const hasLine = (batch: Batch) => batches.length > 1 || spentBy("batch", batch.name).length > 0
    return [
      ...(index > 0 ? [{ kind: "gap" as const, key: `gap ${owner}` }] : []),
      {
        kind: "owner" as const,
        key: `owner ${owner}`,
        title: titleOf(owner),
        counts: [countWords(countsOf(ofOwner, now)), ...spentBy("owner", owner)].join(" · "),
      },
      ...batches.flatMap((batch) => [
        ...(hasLine(batch)
          ? [{ kind: "batch" as const, key: `batch ${owner} ${batch.name}`, words: wordsOf(batch) }]
          : []),
        ...sortedByUrgency(batch.jobs, now).map((job) => ({ kind: "job" as const, key: keyOf(job), job })),
      ]),
    ]
  })
}

type Batch = { name: string; jobs: ShownJob[]; isOneByOne: boolean }

/** Those that were started one by one need no heading each. */
function batchesOf(jobs: readonly ShownJob[]): Batch[] {
  const batches: Batch[] = []
  for (const [name, started] of byLatest(jobs, ({ batch = "" }) => batch)) {
    const isOneByOne = started.length === 1
    const last = batches.at(-1)
    if (isOneByOne && last?.isOneByOne) last.jobs.push(...started)
    else batches.push({ name, jobs: [...started], isOneByOne })
  }
  return batches
}

function batchWords({ jobs, isOneByOne }: Batch, now: number): string {
  const count = jobs.filter(({ isGroup }) => !isGroup).length
  if (isOneByOne && jobs.length > 1) return `${count} jobs, started one by one`
  const started = ago(now - Math.min(...jobs.map(({ createdAt }) => createdAt)))
  return `${count} ${count === 1 ? "job" : "jobs"}, started ${started}`
}

/** Coarse, so that a line does not change each second. */
function ago(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 1) return "just now"
  if (minutes < 60) return `${minutes} m ago`
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours} h ago` : `${Math.floor(hours / 24)} d ago`
}

type Group = readonly [string, readonly ShownJob[]]

function byLatest(jobs: readonly ShownJob[], nameOf: (job: ShownJob) => string): Group[] {
  const groups = new Map<string, ShownJob[]>()
  for (const job of jobs) {
    const name = nameOf(job)
    groups.set(name, [...(groups.get(name) ?? []), job])
  }
  const latest = (group: readonly ShownJob[]) => Math.max(...group.map(({ createdAt }) => createdAt))
  return [...groups].toSorted(([, a], [, b]) => latest(b) - latest(a))
}

/** Those which have all that the person typed in what they read of them, in any order. */
export function matching(
  jobs: readonly ShownJob[],
  query: string,
  titleOf: (owner: string) => string,
  now: number,
): readonly ShownJob[] {
  const terms = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (terms.length === 0) return jobs
  return jobs.filter((job) => {
    const { id, agent, state, phase = "", owner, error, asks = [] } = job
    const said = [
      countedAs(job, now),
      stateWords[state],
      state,
      phase,
      error?.message,
      ...asks.map(({ text }) => text),
    ]
    const words = [id, descriptionOf(job), agent, titleOf(owner), ...said].join(" ").toLowerCase()
    return terms.every((term) => words.includes(term))
  })
}

/** Where a person begins: at what needs them most, else at the first. */
export function firstOf(lines: readonly Line[]): string | undefined {
  const jobs = lines.filter((line) => line.kind === "job")
  return (jobs.find(({ job }) => job.asks?.length && !hasEnded(job)) ?? jobs[0])?.key
}

/** The job so many further on in the list; a single step from one end goes to the other. */
export function moved(lines: readonly Line[], from: string | undefined, by: number): string | undefined {
  const keys = lines.flatMap(({ kind, key }) => (kind === "job" ? [key] : []))
  const last = keys.length - 1
  const at = from === undefined ? -1 : keys.indexOf(from)
  if (Math.abs(by) === 1) return keys[(at + by + keys.length) % keys.length]
  return keys[Math.min(last, Math.max(0, at + by))]
}

/** The first line to show, so that this one can be seen among so many. Headings above it are shown with it. */
export function scrolledTo(lines: readonly Line[], key: string, top: number, height: number): number {
  const at = lines.findIndex((line) => line.key === key)
  if (at < 0) return top
  let first = at
  while (first > 0 && lines[first - 1]?.kind !== "job") first--
  if (first < top) return first
  return at >= top + height ? at - height + 1 : top
}
