import { computed, signal } from "@preact/signals"
import type { JobState } from "../../../machines/record.ts"
import type { JobView } from "../../feed/job-view.ts"
import { needOf } from "./needs.ts"
import { keyOf, STATES } from "./words.ts"

export type Project = { name: string; concurrency: number }

/**
 * All jobs that the page knows. One map that is changed in place, and a number that says so: ten thousand signals
 * would cost more than looking again ten times a second.
 */
const known = new Map<string, JobView>()
const version = signal(0)

export const projects = signal<Project[]>([])
export const isReadOnly = signal(false)
/** The server's clock, once a second. */
export const now = signal(Date.now())
let skew = 0

export function setServerTime(at: number): void {
  skew = at - Date.now()
}

export function tick(): void {
  now.value = Date.now() + skew
}

export function putJobs(jobs: JobView[], gone: string[] = []): void {
  for (const job of jobs) known.set(keyOf(job), job)
  for (const key of gone) known.delete(key)
  if (jobs.length > 0 || gone.length > 0) announce()
}

/**
 * The jobs that prompt now, told without the rest. One that did and is not named any more has changed meanwhile: it
 * is dropped, and comes again with the feed.
 */
export function putPrompting(jobs: JobView[]): void {
  const named = new Set(jobs.map(keyOf))
  const isOver = ([key, { state }]: [string, JobView]) => state === "prompting" && !named.has(key)
  putJobs(
    jobs,
    [...known].filter(isOver).map(([key]) => key),
  )
}

/** What is not among `keys` is no longer there. */
export function keepOnly(keys: ReadonlySet<string>): void {
  for (const key of known.keys()) if (!keys.has(key)) known.delete(key)
  announce()
}

let isAnnounced = false

/** Once a frame at most; a hidden tab has no frames. */
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

/** Newest first. The order only changes with jobs that come or go, so a change costs no sorting. */
export const allJobs = computed(() => {
  version.value
  if (sorted.length !== known.size || sorted.some((key) => !known.has(key))) {
    const jobs = [...known.values()].sort(
      (a, b) => b.createdAt - a.createdAt || (keyOf(a) < keyOf(b) ? 1 : -1),
    )
    sorted = jobs.map(keyOf)
    return jobs
  }
  return sorted.flatMap((key) => known.get(key) ?? [])
})

export const counts = computed(() => {
  const byState = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<JobState, number>
  for (const { state } of allJobs.value) byState[state]++
  return byState
})

/** Who waits for an answer stands before who merely has trouble. */
export const needy = computed(() => {
  const all = allJobs.value.flatMap((job) => {
    const need = needOf(job, now.value)
    return need === undefined ? [] : [{ job, need }]
  })
  const asks = all.filter(({ job }) => job.asks)
  return [...asks, ...all.filter(({ job }) => !job.asks)]
})

/** By session, or `owner/id` while there is none. */
export function findJob(address: string): JobView | undefined {
  return known.get(address) ?? allJobs.value.find(({ session }) => session === address)
}
