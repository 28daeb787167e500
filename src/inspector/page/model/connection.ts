import { computed, signal } from "@preact/signals"
import type { JobView } from "../../feed/job-view.ts"
import type { SpendingAnswer } from "../../http/api.ts"
import { ask, enter, NoAccessError, onEntered } from "./access.ts"
import {
  isReadOnly,
  keepOnly,
  type Project,
  projects,
  putBudgets,
  putJobs,
  putPrompting,
  putTitles,
  setServerTime,
} from "./jobs.ts"
import { Stream } from "./stream.ts"
import { keyOf } from "./words.ts"

export type Connection = "connecting" | "live" | "reconnecting" | "stale" | "refused"

export const connection = signal<Connection>("connecting")
/** When the server was last heard: what is shown was current then. Epoch milliseconds. */
export const heardAt = signal(Date.now())

/** Whether what is shown is what is. */
export const isCurrent = computed(() => connection.value === "live" || connection.value === "connecting")
/** Whether it has not been for so long that nobody may take it for that. */
export const isOutdated = computed(() => connection.value === "stale" || connection.value === "refused")

/** Silence after which the connection is considered broken, milliseconds: two and a half heartbeats. */
const longSilence = 25_000
/** Backoff before a new attempt, milliseconds: doubled each time, up to the longest. */
const firstWait = 500
const longestWait = 8_000
/** How often a hidden tab asks which jobs wait for an answer, milliseconds. */
const hiddenPace = 15_000

const stream = new Stream()
let current: AbortController | undefined

/** Follows the feed while the tab is visible: a browser allows six connections to a host, and a stream takes one. */
export async function connect(): Promise<void> {
  const begin = () => void (document.hidden ? rest() : follow())
  document.addEventListener("visibilitychange", begin)
  // A link that is pasted into an open tab changes the address alone.
  addEventListener("hashchange", () => void enter().finally(begin))
  onEntered(begin)
  await enter().finally(begin)
}

/** A hidden tab still shows in its title how many jobs wait for an answer. */
async function rest(): Promise<void> {
  current?.abort()
  const mine = new AbortController()
  current = mine
  while (!mine.signal.aborted) {
    await lookOnce(mine.signal).catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, hiddenPace))
  }
}

async function lookOnce(signal: AbortSignal): Promise<void> {
  const response = await ask("/api/jobs?state=prompting&limit=1000", { signal })
  if (!response.ok) return
  const { jobs } = (await response.json()) as { jobs: JobView[] }
  if (!signal.aborted) putPrompting(jobs)
}

async function follow(): Promise<void> {
  current?.abort()
  const mine = new AbortController()
  current = mine
  for (let wait = firstWait; !mine.signal.aborted; wait = Math.min(wait * 2, longestWait)) {
    try {
      await readOn(mine.signal, () => (wait = firstWait))
    } catch (error) {
      if (mine.signal.aborted) return
      if (error instanceof NoAccessError) {
        connection.value = "refused"
        return
      }
    }
    if (mine.signal.aborted) return
    connection.value = Date.now() - heardAt.value < longSilence ? "reconnecting" : "stale"
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}

async function readOn(signal: AbortSignal, onMessage: () => void): Promise<void> {
  const silent = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(() => silent.abort(), longSilence)
  }
  heard()
  isInSnapshot = false
  try {
    for await (const { event, data } of stream.read(AbortSignal.any([signal, silent.signal]))) {
      heard()
      onMessage()
      heardAt.value = Date.now()
      take(event, data)
      // Of half a snapshot nobody could say that it is what is.
      if (!isInSnapshot) connection.value = "live"
    }
  } finally {
    clearTimeout(timer)
  }
}

type Snapshot = {
  now: number
  readOnly: boolean
  projects: Project[]
  first: boolean
  last: boolean
  jobs: JobView[]
} & About
type Changes = { now: number; jobs: JobView[]; gone: string[] } & About
/** What is told of the jobs' owners and batches. */
type About = { owners?: Record<string, string>; budgets?: SpendingAnswer[] }

let inSnapshot = new Set<string>()
let isInSnapshot = false

/** The server comes from the same build, so what it sends is not checked again. */
function take(event: string, data: string): void {
  if (event === "snapshot") takeSnapshot(JSON.parse(data) as Snapshot)
  else if (event === "changes") {
    const { now, jobs, gone, owners, budgets } = JSON.parse(data) as Changes
    setServerTime(now)
    putTitles(owners)
    putBudgets(budgets)
    putJobs(jobs, gone)
  }
}

function takeSnapshot({ now, readOnly, projects: list, first, last, jobs, owners, budgets }: Snapshot): void {
  if (first) inSnapshot = new Set()
  isInSnapshot = !last
  setServerTime(now)
  isReadOnly.value = readOnly
  projects.value = list
  putTitles(owners)
  putBudgets(budgets)
  putJobs(jobs)
  for (const job of jobs) inSnapshot.add(keyOf(job))
  if (last) keepOnly(inSnapshot)
}
