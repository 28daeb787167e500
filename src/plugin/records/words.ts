import { changeWords, overlapWords, shortCommit } from "../../machines/changes.ts"
import { clockTime, duration, timeOf } from "../../machines/durations.ts"
import { providerOf } from "../../machines/limits.ts"
import { hasEnded, type JobError, type JobPhase, type JobRecord } from "../../machines/record.ts"
import { beginning, oneLine, plainText } from "../../util/plain.ts"
import { wayBack } from "../worktrees/way-back.ts"
import type { JobWithText, TextOf } from "./texts.ts"

/** Characters of an ended job's text in a status. */
const excerptLength = 160
/** Characters of one job's text, and of all texts together, where many are shown that nobody asked for in full. */
const shortLength = 2_000
const allShortLength = 12_000

/** Characters of why a job did not end as `done`: what a bounded message comes to. An earlier version had no bound. */
const longestReason = 2_100

/** Characters of what a check wrote that did not pass, from its end. */
const longestCheckOutput = 2_000

/** What has become of a job's worktree with its branch. */
type Fate = "there" | "applied" | "removed"

/**
 * `a: prompting.working 12 s, bash: ls, 1.2k tokens`
 * @param waitsFor what it needs and has not ended yet, by id
 * @param fate what has become of its worktree
 */
export function statusLine(
  record: JobRecord,
  now: number,
  waitsFor: readonly string[],
  fate: Fate = "there",
): string {
  const details = [
    `${stateOf(record)} ${duration(timeOf(record, now))}`,
    record.run > 1 ? `run ${record.run}` : "",
    doing(record, waitsFor),
    onHold(record, now),
    spent(record),
    modelWords(record),
    worktreeWords(record, fate),
    checkWords(record),
    record.error ? excerpt(reasonOf(record.error)) : "",
    record.isTruncated ? truncated : "",
    hasEnded(record) && record.text ? `"${excerpt(record.text)}"` : "",
  ]
  return `${record.id}: ${fenced(details.filter((each) => each !== "").join(", "))}`
}

const truncated = "its answer was cut off at the model's output limit"

/** A job's outcome with its full text, fenced off from what is ours: it is foreign text. */
export function resultBlock({ record, text }: JobWithText, now: number, fate: Fate = "there"): string {
  const reason = record.error
    ? ` reason=${JSON.stringify(fenced(excerpt(reasonOf(record.error), longestReason)))}`
    : ""
  const notes = [
    record.wentOn ? "it ran again once what it needs was done" : "",
    record.isTruncated ? `${truncated}; agents_send can ask for the rest` : "",
    modelWords(record),
    worktreeWords(record, fate),
    worktreeAdvice(record, fate),
    checkWords(record),
  ].filter((each) => each !== "")
  const note = notes.length > 0 ? ` note=${JSON.stringify(fenced(notes.join("; ")))}` : ""
  const time = duration(timeOf(record, now))
  const head = `<job id="${record.id}" state="${record.state}" time="${time}"${reason}${note}>`
  const words = text.kind === "nothing" && hasNeverBegun(record) ? "(never begun)" : textWords(text)
  return `${head}\n${words}${checkOutput(record)}\n</job>`
}

/** `branch troupe/1f/a at 0123456789, 3 files, +10 −2, also changed by b: x.txt`; empty for one without a worktree. */
function worktreeWords({ worktree }: JobRecord, fate: Fate = "there"): string {
  if (!worktree) return ""
  const { branch, commit } = worktree
  const at = commit === undefined ? "" : ` at ${shortCommit(commit)}`
  if (fate === "removed") return `discarded (it was ${branch}${at})`
  const applied = fate === "applied" && worktree.files !== 0 ? "applied" : undefined
  return [`branch ${branch}${at}`, changeWords(worktree), applied, overlapWords(worktree)]
    .filter((each) => each !== undefined)
    .join(", ")
}

/** Why nobody has said that what an ended job did is good, as a sentence; nothing for one that is done. */
export function shortcomingOf({ state, error }: JobRecord): string | undefined {
  if (error?.kind === "check") return "its check did not pass"
  if (state === "failed") return "it failed"
  if (state === "timedOut") return "it timed out"
  return state === "cancelled" ? "it was cancelled" : undefined
}

/** How its owner comes by what it did in its worktree; empty where that is nothing. */
function worktreeAdvice(record: JobRecord, fate: Fate): string {
  const { worktree } = record
  if (!worktree || worktree.files === 0 || fate === "applied" || hasNeverBegun(record)) return ""
  const { branch, commit, directory } = worktree
  const isCommitted = commit !== undefined
  if (fate === "removed") return isCommitted ? wayBack(branch, commit) : ""
  const where = isCommitted ? "" : `what it changed is in ${directory} and not committed; `
  const shortcoming = shortcomingOf(record)
  if (shortcoming === undefined)
    return `${where}agents_apply ${isCommitted ? "" : "commits it and "}brings it into your files`
  const would = `agents_apply would ${isCommitted ? "" : "commit it and "}bring it into your files`
  return `${where}${would} as it is: ${shortcoming}`
}

/** `check "npm test" exited with 1 in round 2`; empty before the first, and where the job ended with it. */
function checkWords({ check, error }: JobRecord): string {
  if (!check || check.rounds === 0 || error?.kind === "check") return ""
  const { command, exitCode, rounds } = check
  const how = exitCode === undefined ? "did not end by itself" : `exited with ${exitCode}`
  return `check ${JSON.stringify(excerpt(command))} ${how} in round ${rounds}`
}

/** What its last check wrote, where it did not pass: who gets the result may know what to do. */
function checkOutput({ check, error }: JobRecord): string {
  if (!check || error?.kind !== "check" || check.output === "") return ""
  const { output } = check
  const end = output.length > longestCheckOutput ? `…${output.slice(-longestCheckOutput)}` : output
  return `\n[the end of what its check wrote:]\n${fenced(plainText(end))}`
}

const hasNeverBegun = ({ state, startedAt }: JobRecord) => state !== "done" && startedAt === undefined

function textWords(text: TextOf): string {
  switch (text.kind) {
    case "text":
      return fenced(plainText(text.text))
    case "nothing":
      return "(it wrote nothing)"
    case "lost":
      return `(what it had written is lost: ${oneLine(text.why)})`
    case "unreadable":
      return `(its text could not be read: ${oneLine(text.why)})`
  }
}

/** `model openai/y, after anthropic/x (provider: Invalid API key (HTTP 401))`; empty where it has had no other. */
function modelWords({ model, attempts = [], run, state, startedAt }: JobRecord): string {
  // What was not asked yet is named in the reason.
  const isNew = run === 1 || startedAt === undefined
  const isUnasked = state === "failed" && isNew && attempts.at(-1)?.session === undefined
  if (attempts.length === 0 || isUnasked) return ""
  const left = attempts.map(({ model, error }) => `${model ?? "another"} (${excerpt(reasonOf(error))})`)
  return `model ${model ?? "another"}, after ${left.join(" and ")}`
}

/** `isWhole`: it has all that the job wrote. */
type ShortenedBlock = { words: string; isWhole: boolean }

/** The blocks of jobs, each text with its beginning alone where it is long, and how to read the rest. */
export function shortenedBlocks(results: readonly JobWithText[], now: number): ShortenedBlock[] {
  const most = Math.min(shortLength, Math.floor(allShortLength / results.length))
  return results.map((result) => {
    const short = shortened(result, most)
    return {
      words: resultBlock(short, now),
      isWhole: short === result && result.text.kind !== "unreadable",
    }
  })
}

function shortened(result: JobWithText, most: number): JobWithText {
  const { record, text } = result
  if (text.kind !== "text" || text.text.length <= most) return result
  const rest = `[${text.text.length - most} more characters: agents_wait with ids ["${record.id}"]]`
  return { record, text: { kind: "text", text: `${beginning(text.text, most)}\n${rest}` } }
}

/** A cancel says itself that it is one. */
const reasonOf = ({ kind, message }: JobError) => (kind === "cancelled" ? message : `${kind}: ${message}`)

/** Foreign text can neither end the block that it stands in nor open one, however it is spaced and whatever is unseen in it. */
const fenced = (text: string) => text.replace(blockTag, "<\\")
// No two repetitions that take the same follow each other: they would share a long gap in every way there is.
const blockTag = /<(?=[\s\p{Cf}\p{DI}]*(?:\/[\s\p{Cf}\p{DI}]*)?j\p{DI}*o\p{DI}*b\b)/giu

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
    ...phases.map(([name, label]) => count(label, ({ phase, holdUntil }) => phase === name && !holdUntil)),
    count("on hold", ({ holdUntil }) => holdUntil !== undefined),
  ]
    .filter((each) => each !== "")
    .join(", ")
}

/** Those that need somebody first. */
const phases = Object.entries({
  permission: "waiting for permission",
  question: "waiting for an answer",
  retrying: "retrying",
  checking: "checking",
  working: "working",
  opening: "opening",
  blocked: "blocked",
  queued: "queued",
  stopping: "stopping",
} satisfies Record<JobPhase, string>)

const stateOf = ({ state, phase }: JobRecord) => (phase ? `${state}.${phase}` : state)

function doing({ asks, retry, activity, ...record }: JobRecord, waitsFor: readonly string[]): string {
  if (hasEnded(record)) return ""
  const ask = asks?.[0]
  if (ask) return excerpt(`${ask.kind === "permission" ? "asks for permission:" : "asks:"} ${ask.text}`)
  if (retry) return excerpt(`attempt ${retry.attempt} failed: ${retry.reason}`)
  if (record.phase === "blocked") return excerpt(`waits for ${waitsFor.join(", ")}`)
  if (record.phase === "checking" && record.check) {
    const { command, rounds } = record.check
    return `checking: ${excerpt(command)}, round ${rounds + 1}`
  }
  if (activity?.tool) return excerpt(activity.tool)
  return activity?.text ? `"…${excerpt(activity.text.slice(-excerptLength / 2))}"` : ""
}

/** `anthropic on hold until 14:03:20 (in 42 s)` */
function onHold({ holdUntil, model }: JobRecord, now: number): string {
  if (holdUntil === undefined) return ""
  const left = holdUntil > now ? ` (in ${duration(holdUntil - now)})` : ""
  return `${providerOf(model) ?? "its provider"} on hold until ${clockTime(holdUntil, now)}${left}`
}

/** Which of these jobs do not start yet, whatever slots are free: a line for each provider. */
export function holdLines(records: readonly JobRecord[], now: number): string[] {
  const words = new Set(records.map((record) => onHold(record, now)).filter((each) => each !== ""))
  return [...words].map((each) => {
    const held = records.filter((record) => onHold(record, now) === each)
    return `Waiting, ${each}: ${held.map(({ id }) => id).join(", ")}`
  })
}

function spent({ usage }: JobRecord): string {
  const tokens = usage.input + usage.output + usage.reasoning + usage.cacheRead + usage.cacheWrite
  if (tokens === 0) return ""
  const words = tokens < 1000 ? `${tokens} tokens` : `${(tokens / 1000).toFixed(1)}k tokens`
  return usage.cost > 0 ? `${words} $${usage.cost.toFixed(4)}` : words
}

/** The beginning of a text, on one line. */
export function excerpt(text: string, most = excerptLength): string {
  const line = oneLine(text)
  return line.length > most ? `${beginning(line, most)}…` : line
}
