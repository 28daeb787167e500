import { hasEnded, type JobError, type JobRecord } from "../../machines/record.ts"
import type { JobWithText, TextOf } from "./texts.ts"

/** Characters of an ended job's text in a status. */
const excerptLength = 160
/** Characters of one job's text, and of all texts together, where many are shown that nobody asked for in full. */
const shortLength = 2_000
const allShortLength = 12_000

/** `a: prompting.working 12s, bash: ls, 1.2k tokens` */
export function statusLine(record: JobRecord, now: number): string {
  const details = [
    `${stateOf(record)} ${timeOf(record, now)}`,
    record.run > 1 ? `run ${record.run}` : "",
    doing(record),
    spent(record),
    record.error ? excerpt(reasonOf(record.error)) : "",
    hasEnded(record) && record.text ? `"${excerpt(record.text)}"` : "",
  ]
  return `${record.id}: ${details.filter((each) => each !== "").join(", ")}`
}

/** A job's outcome with its full text, fenced off from what is ours: it is foreign text. */
export function resultBlock({ record, text }: JobWithText, now: number): string {
  const reason = record.error ? ` reason=${JSON.stringify(fenced(reasonOf(record.error)))}` : ""
  const head = `<job id="${record.id}" state="${record.state}" time="${timeOf(record, now)}"${reason}>`
  return `${head}\n${textWords(text)}\n</job>`
}

function textWords(text: TextOf): string {
  switch (text.kind) {
    case "text":
      return fenced(text.text)
    case "nothing":
      return "(it wrote nothing)"
    case "lost":
      return `(what it had written is lost: ${text.why})`
    case "unreadable":
      return `(its text could not be read: ${text.why})`
  }
}

/** The blocks of jobs, each text with its beginning alone where it is long, and how to read the rest. */
export function shortenedBlocks(results: readonly JobWithText[], now: number): string[] {
  const most = Math.min(shortLength, Math.floor(allShortLength / results.length))
  return results.map((result) => resultBlock(shortened(result, most), now))
}

function shortened({ record, text }: JobWithText, most: number): JobWithText {
  if (text.kind !== "text" || text.text.length <= most) return { record, text }
  const rest = `[${text.text.length - most} more characters: agents_wait with ids ["${record.id}"]]`
  return { record, text: { kind: "text", text: `${text.text.slice(0, most)}\n${rest}` } }
}

/** A cancel says itself that it is one. */
const reasonOf = ({ kind, message }: JobError) => (kind === "cancelled" ? message : `${kind}: ${message}`)

/** Foreign text can neither end the block that it stands in nor open one, however it is spaced. */
const fenced = (text: string) => text.replace(/<(?=[\s\p{Cf}]*\/?[\s\p{Cf}]*job\b)/giu, "<\\")

/** `3/5 done, 1 failed, 1 waiting for permission` */
export function progress(records: readonly JobRecord[]): string {
  const count = (label: string, test: (record: JobRecord) => boolean) => {
    const found = records.filter(test).length
    return found > 0 ? `${found} ${label}` : ""
  }
  const done = records.filter(({ state }) => state === "done").length
  return [
    `${done}/${records.length} done`,
    count("failed", ({ state }) => state === "failed"),
    count("timed out", ({ state }) => state === "timedOut"),
    count("cancelled", ({ state }) => state === "cancelled"),
    count("waiting for permission", ({ phase }) => phase === "permission"),
    count("waiting for an answer", ({ phase }) => phase === "question"),
    count("retrying", ({ phase }) => phase === "retrying"),
    count("queued", ({ phase }) => phase === "queued"),
  ]
    .filter((each) => each !== "")
    .join(", ")
}

const stateOf = ({ state, phase }: JobRecord) => (phase ? `${state}.${phase}` : state)

/** The job's own time: what people took to answer it is not. */
function timeOf(record: JobRecord, now: number): string {
  const { startedAt, createdAt, endedAt = now, waitedMs = 0, waitingSince = endedAt } = record
  const ms = endedAt - (startedAt ?? createdAt) - waitedMs - (endedAt - waitingSince)
  const seconds = Math.max(0, ms / 1000)
  return seconds < 10 ? `${seconds.toFixed(1)}s` : `${Math.round(seconds)}s`
}

function doing({ asks, retry, activity, ...record }: JobRecord): string {
  if (hasEnded(record)) return ""
  const ask = asks?.[0]
  if (ask) return excerpt(`${ask.kind === "permission" ? "asks for permission:" : "asks:"} ${ask.text}`)
  if (retry) return excerpt(`attempt ${retry.attempt} failed: ${retry.reason}`)
  if (activity?.tool) return activity.tool
  return activity?.text ? `"…${excerpt(activity.text.slice(-excerptLength / 2))}"` : ""
}

function spent({ usage }: JobRecord): string {
  const tokens = usage.input + usage.output + usage.reasoning + usage.cacheRead + usage.cacheWrite
  if (tokens === 0) return ""
  const words = tokens < 1000 ? `${tokens} tokens` : `${(tokens / 1000).toFixed(1)}k tokens`
  return usage.cost > 0 ? `${words} $${usage.cost.toFixed(4)}` : words
}

/** The beginning of a text, on one line. */
export function excerpt(text: string, most = excerptLength): string {
  const line = text.replace(/\s+/g, " ").trim()
  return line.length > most ? `${line.slice(0, most)}…` : line
}
