import type { JobRecord } from "../../machines/record.ts"
import { answerOfRun, isSummary, placeOf, textSince } from "../host/answers.ts"
import type { AssistantMessage, Host, HostMessage } from "../host/port.ts"
import { promptID } from "../host/prompt-ids.ts"
import { StoredJob } from "./stored-job.ts"

/** The text that an ended job left, or why there is none. */
export type TextOf =
  | { kind: "text"; text: string }
  /** The child wrote nothing. */
  | { kind: "nothing" }
  /** opencode does not have it and never will. `why` is for people, half a sentence. */
  | { kind: "lost"; why: string }
  /** opencode could not be asked now. */
  | { kind: "unreadable"; why: string }

export type JobWithText = { record: JobRecord; text: TextOf }

type Sessions = Pick<Host, "session" | "messages">

/** Of jobs that have ended. */
export function withTexts(host: Sessions, records: readonly JobRecord[]): Promise<JobWithText[]> {
  return Promise.all(records.map(async (record) => ({ record, text: await textOf(host, record) })))
}

/** From memory; or from the child's session, for a result that is delivered or of an earlier process. */
export async function textOf(host: Sessions, record: JobRecord): Promise<TextOf> {
  if (record.text !== undefined) return written(record.text)
  if (record.session === "") return { kind: "nothing" }
  const [messages, run] = await Promise.all([host.messages(record.session), runOf(host, record)])
  if (messages.ok) return textIn(messages.value, record, run)
  const { status, message } = messages.error
  return status === 404
    ? { kind: "lost", why: "its session was deleted" }
    : { kind: "unreadable", why: message }
}

const written = (text: string): TextOf => (text === "" ? { kind: "nothing" } : { kind: "text", text })

/** When a run was asked, and those whose results go with its own: see `StoredJob`. */
export type AskedRun = { session: string } & Pick<StoredJob, "askedAt" | "askedBefore">

/** Nothing where opencode does not say, or where the answer is all that there is. */
async function runOf(host: Sessions, { session, state, run }: JobRecord): Promise<AskedRun | undefined> {
  if (state === "done" && run === 1) return undefined
  const found = await host.session(session)
  const stored = found.ok ? StoredJob.safeParse(found.value.stored).data : undefined
  return stored?.record.run === run ? { session, ...stored } : undefined
}

/** What a child left in this run. */
export function textIn(
  messages: readonly HostMessage[],
  record: JobRecord,
  run: AskedRun | undefined,
): TextOf {
  const ofChild = messages.filter((message): message is AssistantMessage => message.role === "assistant")
  const answer = ofChild.findLast(({ end }) => end)
  const isAnswered = record.state === "done" || ["schema", "check"].includes(record.error?.kind ?? "")
  if (isAnswered && (answer || record.structured !== undefined || !isSummarized(messages))) {
    const data = record.structured === undefined ? undefined : JSON.stringify(record.structured)
    return written(withEarlier(messages, run, data ?? answer?.text ?? ""))
  }
  const asked = run && promptID(run.session, run.askedAt)
  const place = asked === undefined ? undefined : placeOf(messages, asked)
  // A follow-up that ends otherwise than by an answer leaves the earlier one in place.
  const text = place
    ? earlierText(messages, run) ||
      lastText(messages.slice(0, messages.indexOf(place))) ||
      textSince(messages, asked ?? "")
    : lastText(messages)
  if (text === "" && isSummarized(messages))
    return { kind: "lost", why: "opencode has replaced its conversation with a summary" }
  const wasWriting = ofChild.length > 0 && ofChild.at(-1)?.end === undefined
  if (text === "" && wasWriting && record.error?.kind === "interrupted")
    return {
      kind: "lost",
      why: "opencode stopped while it was writing, and stores only finished text",
    }
  return written(text)
}

/** A run's answer, after what its owner would otherwise never be given. */
export const withEarlier = (messages: readonly HostMessage[], run: AskedRun | undefined, answer: string) =>
  [earlierText(messages, run), answer].filter((text) => text !== "").join("\n\n")

/** The answers of the runs whose results go with this one's; empty where there are none. */
export function earlierText(messages: readonly HostMessage[], run: AskedRun | undefined): string {
  if (!run?.askedBefore) return ""
  const asked = run.askedBefore.map((at) => promptID(run.session, at))
  return (
    asked
      // A summary that has taken its place stands for later runs as well.
      .filter((prompt) => messages.some(({ id }) => id === prompt))
      .map((prompt) => answerOfRun(messages, prompt).answer?.text ?? "")
      .filter((text) => text !== "")
      .join("\n\n")
  )
}

const isSummarized = (messages: readonly HostMessage[]) => messages.some(isSummary)

const lastText = (messages: readonly HostMessage[]) =>
  messages.findLast(({ role, text }) => role === "assistant" && text !== "")?.text ?? ""
