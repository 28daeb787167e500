import { computed, signal } from "@preact/signals"
import type { JobState } from "../../../machines/record.ts"
import type { JobView } from "../../feed/job-view.ts"
import type { SpendingAnswer } from "../../http/api.ts"
import { hasQuestion, needOf } from "./needs.ts"
import { byNumber, holdOf, keyOf } from "./words.ts"

export type Project = { name: string; concurrency: number }

/**
 * All jobs that the page knows: one map, changed in place, and a version number. Ten thousand signals would cost more
 * than recomputing ten times a second.
 */
const known = new Map<string, JobView>()
/** Its keys by the sessions of the children. */
const keys = new Map<string, string>()
const version = signal(0)

export const projects = signal<Project[]>([])
/** The titles of owners' sessions, by their ids: as far as they are known. */
export const titles = signal<Readonly<Record<string, string>>>({})
export const isReadOnly = signal(false)
/** The server's time, updated once a second. */
export const now = signal(Date.now())
let skew = 0

export function setServerTime(at: number): void {
  skew = at - Date.now()
}

/** Ages stay what they were then, by this machine's clock. */
export function freezeAt(at: number): void {
  now.value = at + skew
}

/** What batches and owners may spend, and have spent, by `keyOfBudget`. */
export const budgets = signal<ReadonlyMap<string, SpendingAnswer>>(new Map())

const keyOfBudget = (of: SpendingAnswer["of"], name: string) => `${of} ${name}`

export const budgetOf = (of: SpendingAnswer["of"], name: string) => budgets.value.get(keyOfBudget(of, name))

export function putBudgets(fresh: readonly SpendingAnswer[] = []): void {
  if (fresh.length === 0) return
  const named = fresh.map((each): [string, SpendingAnswer] => [keyOfBudget(each.of, each.name), each])
  budgets.value = new Map([...budgets.peek(), ...named])
}

export function putTitles(fresh: Readonly<Record<string, string>> = {}): void {
  if (Object.entries(fresh).some(([owner, title]) => titles.peek()[owner] !== title))
    titles.value = { ...titles.peek(), ...fresh }
}

export function tick(): void {
  now.value = Date.now() + skew
}

export function putJobs(jobs: JobView[], gone: string[] = []): void {
  for (const job of jobs) {
    known.set(keyOf(job), job)
    if (job.session !== "") keys.set(job.session, keyOf(job))
  }
  for (const key of gone) known.delete(key)
  if (jobs.length > 0 || gone.length > 0) announce()
}

/**
 * Takes all jobs that are prompting now, without the others. A known one that is not among them has changed: it is
 * dropped, and comes back with the feed.
 */
export function putPrompting(jobs: JobView[]): void {
  const named = new Set(jobs.map(keyOf))
  const isOver = ([key, { state }]: [string, JobView]) => state === "prompting" && !named.has(key)
  putJobs(
    jobs,
    [...known].filter(isOver).map(([key]) => key),
  )
}

/** Drops the jobs that are not among `keys`. They are there at once: who sees that the page is live can use it. */
export function keepOnly(keys: ReadonlySet<string>): void {
  for (const key of known.keys()) if (!keys.has(key)) known.delete(key)
  version.value++
}

let isAnnounced = false

/** At most once a frame; a hidden tab has no frames. */
function announce(): void {
  if (isAnnounced) return
  isAnnounced = true
  const flush = () => {
    isAnnounced = false
    version.value++
  }
  if (document.hidden) setTimeout(flush, 100)
  else requestAnimationFrame(flush)
}

let sorted: string[] = []

/** Newest first. Sorted again only when jobs come or go. */
export const allJobs = computed(() => {
  version.value
  if (sorted.length !== known.size || sorted.some((key) => !known.has(key))) {
    const jobs = [...known.values()].sort((a, b) => b.createdAt - a.createdAt || byNumber(keyOf(b), keyOf(a)))
    sorted = jobs.map(keyOf)
    return jobs
  }
  return sorted.flatMap((key) => known.get(key) ?? [])
})

/** A group is none of its own: the jobs that it stands for are. */
export const isCounted = ({ isGroup }: Pick<JobView, "isGroup">) => !isGroup

export const countByState = (jobs: readonly JobView[]): Record<JobState, number> => {
  const counts = { created: 0, prompting: 0, done: 0, failed: 0, timedOut: 0, cancelled: 0 }
  for (const job of jobs) if (isCounted(job)) counts[job.state]++
  return counts
}

export const counts = computed(() => countByState(allJobs.value))

/** What a job waits for that needs no person, as a search calls it: a slot, its provider, other jobs. */
function idlePhaseOf({ phase, holdUntil }: JobView): "queued" | "held" | "blocked" | undefined {
  if (holdUntil !== undefined) return "held"
  return phase === "queued" || phase === "blocked" ? phase : undefined
}

/** How many wait for what. */
export function countByIdlePhase(jobs: readonly JobView[]) {
  const counts = { queued: 0, held: 0, blocked: 0 }
  for (const job of jobs) {
    const idle = isCounted(job) ? idlePhaseOf(job) : undefined
    if (idle) counts[idle]++
  }
  return counts
}

export const waitingJobs = computed(() => countByIdlePhase(allJobs.value))

export type Held = { provider: string; until: number; jobs: number }

/** The providers that want to be asked later, as far as jobs wait for that. */
export const held = computed(() => {
  const byProvider = new Map<string, Held>()
  for (const job of allJobs.value) {
    const hold = holdOf(job, now.value)
    if (!hold) continue
    const { provider, until } = hold
    const known = byProvider.get(provider)
    byProvider.set(provider, {
      provider,
      until: Math.max(until, known?.until ?? 0),
      jobs: (known?.jobs ?? 0) + 1,
    })
  }
  return [...byProvider.values()]
})

/** Of each project, which has slots of its own. Groups prompt nobody, nor does one that waits for its next model's slot. */
export const slotsOf = computed(() => {
  const prompting = allJobs.value.filter(
    ({ state, phase, isGroup }) => state === "prompting" && phase !== "queued" && !isGroup,
  )
  return projects.value.map(({ name, concurrency }) => ({
    name,
    concurrency,
    busy: prompting.filter(({ project }) => project === name).length,
  }))
})

const inNeed = computed(() =>
  allJobs.value.flatMap((job) => {
    const need = needOf(job, now.value)
    return need === undefined ? [] : [{ job, need }]
  }),
)
/** Jobs in which nothing goes on before a person has answered. */
export const asking = computed(() => inNeed.value.filter(({ job }) => hasQuestion(job)))
/** Jobs that are slow or retry: somebody may look at them, nobody has to. */
export const slow = computed(() => inNeed.value.filter(({ job }) => !hasQuestion(job)))

/** By session, or by `owner/id` while there is none. */
export function findJob(address: string): JobView | undefined {
  version.value
  return known.get(address) ?? known.get(keys.get(address) ?? "")
}
