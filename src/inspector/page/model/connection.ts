import { signal } from "@preact/signals"
import type { JobView } from "../../feed/job-view.ts"
import { isReadOnly, keepOnly, type Project, projects, putJobs, putPrompting, setServerTime } from "./jobs.ts"
import { Stream, StreamRefused } from "./stream.ts"
import { keyOf } from "./words.ts"

export type Connection = "connecting" | "live" | "reconnecting" | "stale" | "refused"

export const connection = signal<Connection>("connecting")
/** The command that prints a fresh link; empty until one is required. */
export const linkCommand = signal("")
/** When the server was last heard: what is shown was current then. Epoch milliseconds. */
export const heardAt = signal(Date.now())

/** Silence after which the connection is considered broken, milliseconds: two and a half heartbeats. */
const longSilence = 25_000
/** Backoff before a new attempt, milliseconds: doubled each time, up to the longest. */
const firstWait = 500
const longestWait = 8_000
/** How often a hidden tab asks which jobs need attention, milliseconds. */
const hiddenPace = 15_000

const stream = new Stream()
let current: AbortController | undefined

/** Follows the feed while the tab is visible: a browser allows six connections to a host, and a stream takes one. */
export function connect(): void {
  const begin = () => void (document.hidden ? rest() : follow())
  document.addEventListener("visibilitychange", begin)
  begin()
}

/** A hidden tab still shows in its title how many jobs need attention. */
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
  const response = await fetch("/api/jobs?state=prompting&limit=1000", { signal })
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
      if (error instanceof StreamRefused && error.status === 401) {
        connection.value = "refused"
        linkCommand.value = error.command ?? ""
      }
    }
    if (mine.signal.aborted) return
    if (connection.value !== "refused")
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
  try {
    for await (const { event, data } of stream.read(AbortSignal.any([signal, silent.signal]))) {
      heard()
      onMessage()
      heardAt.value = Date.now()
      connection.value = "live"
      take(event, data)
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
}
type Changes = { now: number; jobs: JobView[]; gone: string[] }

let inSnapshot = new Set<string>()

/** The server comes from the same build, so what it sends is not checked again. */
function take(event: string, data: string): void {
  if (event === "snapshot") takeSnapshot(JSON.parse(data) as Snapshot)
  else if (event === "changes") {
    const { now, jobs, gone } = JSON.parse(data) as Changes
    setServerTime(now)
    putJobs(jobs, gone)
  }
}

function takeSnapshot({ now, readOnly, projects: list, first, last, jobs }: Snapshot): void {
  if (first) inSnapshot = new Set()
  setServerTime(now)
  isReadOnly.value = readOnly
  projects.value = list
  putJobs(jobs)
  for (const job of jobs) inSnapshot.add(keyOf(job))
  if (last) keepOnly(inSnapshot)
}
