import type { JobRecord } from "./record.ts"

type Times = Pick<JobRecord, "createdAt" | "startedAt" | "endedAt" | "waitedMs" | "waitingSince">

/**
 * How long a job has been running, or waiting to run, without the time that it waited for people. Milliseconds; none
 * where the clock was set back meanwhile.
 */
export function timeOf(job: Times, now: number): number {
  const { createdAt, startedAt = createdAt, endedAt = now, waitedMs = 0, waitingSince = endedAt } = job
  return Math.max(0, endedAt - startedAt - waitedMs - (endedAt - waitingSince))
}

type InLine = Pick<JobRecord, "createdAt" | "startedAt" | "endedAt" | "phase" | "needs">

/**
 * Since when a job was in line for a slot: once all that it needs had ended. One that never got there: since
 * its end. Epoch milliseconds.
 *
 * @param endOf when a job of the same owner ended, by its id; nothing where it has not, or is gone
 */
export function inLineSince(job: InLine, endOf: (id: string) => number | undefined, now: number): number {
  const { createdAt, startedAt, endedAt, phase, needs = [] } = job
  const last = startedAt ?? endedAt ?? now
  const ends = needs.map(({ id }) => endOf(id))
  if (phase === "blocked" || (startedAt === undefined && ends.includes(undefined))) return last
  // A need that ran again has ended later than this job began.
  return ends.reduce<number>((latest, end = 0) => Math.min(last, Math.max(latest, end)), createdAt)
}

/** `830 ms`, `4.2 s`, `3 m 07 s`, `2 h 05 m`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} m ${pad(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`
}

/** `14:03:20`, with the day in front where that is another one than today's. Local time. */
export function clockTime(at: number, now: number): string {
  const time = new Date(at)
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(pad).join(":")
  if (time.toDateString() === new Date(now).toDateString()) return clock
  return `${[time.getFullYear(), time.getMonth() + 1, time.getDate()].map(pad).join("-")} ${clock}`
}

const pad = (value: number) => String(value).padStart(2, "0")
