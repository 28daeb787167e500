import wrapAnsi from "wrap-ansi"
import { hasEnded, type JobRecord } from "../src/machines/record.ts"
import { type Call, textOf } from "./board.ts"

/** `0.4s`, `12s` */
export function seconds(ms: number): string {
  const value = Math.max(0, ms) / 1000
  return value < 10 ? `${value.toFixed(1)}s` : `${Math.round(value)}s`
}

/** A job's running time; before it starts, its waiting time. */
export function ageOf(record: JobRecord, now: number): string {
  return seconds((record.endedAt ?? now) - (record.startedAt ?? record.createdAt))
}

/** `1.2k` */
export function tokensOf({ usage }: JobRecord): string {
  const tokens = usage.input + usage.output + usage.reasoning + usage.cacheRead + usage.cacheWrite
  if (tokens === 0) return ""
  return tokens < 1000 ? `${tokens}` : `${(tokens / 1000).toFixed(1)}k`
}

/** What a job is doing now, or its outcome. */
export function doing(record: JobRecord, now: number): string {
  const { state, phase, asks, retry, activity, error } = record
  if (error) return error.message
  if (hasEnded(record)) return oneLine(textOf(record))
  if (state === "created") return phase === "queued" ? "waiting for a slot" : ""
  if (asks?.[0]) return `asks ${asks[0].text}`
  if (retry) return `next try in ${seconds(retry.next - now)}: ${retry.reason}`
  const text = oneLine(textOf(record))
  return text === "" ? (activity?.tool ?? "") : text
}

/** The arguments of a call, in brief. */
export function argumentsOf({ input }: Call): string {
  const { tasks, ids, timeout, reason, all } = input
  return [
    Array.isArray(tasks) ? `${tasks.length} tasks in one call` : "",
    Array.isArray(ids) ? (ids.length > 3 ? `all ${ids.length}` : ids.join(", ")) : "",
    all === true ? "all" : "",
    typeof timeout === "number" ? `timeout ${timeout} s` : "",
    typeof reason === "string" ? `“${reason}”` : "",
  ]
    .filter((each) => each !== "")
    .join(", ")
}

/** `5 done, 1 failed` */
export function outcomes(ended: readonly { state: string }[]): string {
  const words = { done: "done", failed: "failed", timedOut: "timed out", cancelled: "cancelled" }
  return Object.entries(words)
    .map(([state, word]) => ({ word, count: ended.filter((each) => each.state === state).length }))
    .flatMap(({ word, count }) => (count > 0 ? `${count} ${word}` : []))
    .join(", ")
}

export const oneLine = (text: string) => text.replace(/\s+/g, " ").trim()

/** The lines of a paragraph, none wider than `width`. Default: no limit. */
export function wrapped(text: string, width?: number): string[] {
  return (width === undefined ? text : wrapAnsi(text, width, { hard: true })).split("\n")
}
