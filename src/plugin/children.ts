import type { Answer, ChildInput, Effects, StopChildOutput } from "../machines/effects.ts"
import type { JobInput } from "../machines/events.ts"
import { type JobError, NO_USAGE, type Usage } from "../machines/record.ts"
import type { Host, HostError, Message, MessageWithParts, Result, Session } from "./host.ts"
import { wordsOf } from "./host.ts"
import { promptIds } from "./ids.ts"

export type ChildrenOptions = {
  host: Host
  /** The metadata that a job's child session starts with. */
  metadataFor(job: JobInput): Record<string, unknown>
  /** The tools that start and steer jobs: a child that may not start any does not even see them. */
  jobTools: readonly string[]
}

/** What jobs have done in opencode. */
export function childEffects({ host, metadataFor, jobTools }: ChildrenOptions): Effects {
  return {
    async openSession(job) {
      const session = await host.createSession({
        parentID: job.owner,
        title: `${job.description} (@${job.agent} ${job.id})`,
        agent: job.agent,
        permission: job.rules ?? [],
        metadata: metadataFor(job),
      })
      if (!session.ok) throw failure("create", session.error)
      return { session: session.value.id }
    },

    async promptChild({ job, session }) {
      const ids = promptIds(session, job.askedAt)
      const asked = await host.prompt({
        session,
        ...ids,
        text: job.prompt,
        agent: job.agent,
        model: job.model,
        variant: job.variant,
        without: job.mayStartJobs ? [] : jobTools,
      })
      if (asked.ok) return answerOf(asked.value, await usageOf(host, session))
      const message = await answerInDoubt(host, session, ids.messageID)
      if (!message) throw failure("prompt", asked.error)
      return answerOf(message, await usageOf(host, session))
    },

    async stopChild(child) {
      const aborted = await host.abort(child.session)
      if (!aborted.ok) void host.log("warn", `could not abort ${child.session}: ${aborted.error.message}`)
      return writtenBy(host, child)
    },
  }
}

/** The prompt's call failed, which says nothing of the child: what its messages say is what counts. */
async function answerInDoubt(
  host: Host,
  session: string,
  asked: string,
): Promise<MessageWithParts | undefined> {
  const messages = await host.messages(session)
  return messages.ok ? finalAnswer(messages.value, asked) : undefined
}

/** The terminal message of the run that was asked under this id. */
export function finalAnswer(
  messages: readonly MessageWithParts[],
  asked: string,
): MessageWithParts | undefined {
  const last = messages.findLast(({ info }) => info.role === "assistant" && info.parentID === asked)
  return last && isFinal(last.info) ? last : undefined
}

function isFinal(info: Message): boolean {
  if (info.role !== "assistant") return false
  return info.error !== undefined || (info.finish !== undefined && info.finish !== "tool-calls")
}

export function answerOf(message: MessageWithParts, usage: Usage): Answer {
  const text = textOf(message)
  const error = message.info.role === "assistant" ? message.info.error : undefined
  if (error) return { text, usage, error: jobErrorOf(error) }
  // An abort while opencode backs off ends the turn without an error, and without an answer.
  return isFinal(message.info) ? { text, usage } : { text, usage, error: abortedOutside }
}

const abortedOutside: JobError = {
  kind: "interrupted",
  message: "the child session was aborted from outside opencode-troupe",
}

function jobErrorOf(error: { name: string; data: unknown }): JobError {
  const message = wordsOf(error) || error.name
  switch (error.name) {
    case "MessageAbortedError":
      return abortedOutside
    case "StructuredOutputError":
      return { kind: "schema", message }
    default:
      return { kind: "provider", message: `${message}${statusOf(error.data)}` }
  }
}

function statusOf(data: unknown): string {
  const known = typeof data === "object" && data !== null && "statusCode" in data
  return known && typeof data.statusCode === "number" ? ` (HTTP ${data.statusCode})` : ""
}

async function writtenBy(host: Host, { job, session }: ChildInput): Promise<StopChildOutput> {
  const [messages, usage] = await Promise.all([host.messages(session), usageOf(host, session)])
  if (!messages.ok) return { text: undefined, usage }
  const asked = promptIds(session, job.askedAt).messageID
  const text = messages.value
    .filter(({ info }) => info.role === "assistant" && info.parentID === asked)
    .map(textOf)
    .filter((each) => each !== "")
    .join("\n\n")
  return { text: text || undefined, usage }
}

function textOf({ parts }: MessageWithParts): string {
  return parts
    .flatMap((part) => (part.type === "text" && !part.synthetic ? [part.text] : []))
    .join("\n\n")
    .trim()
}

async function usageOf(host: Host, session: string): Promise<Usage> {
  const found: Result<Session> = await host.session(session)
  return found.ok ? usageOfSession(found.value) : NO_USAGE
}

type Spent = { tokens?: Session["tokens"] | undefined; cost?: number | undefined }

/** opencode adds up what a session has used. */
export function usageOfSession({ tokens, cost }: Spent): Usage {
  return {
    input: tokens?.input ?? 0,
    output: tokens?.output ?? 0,
    reasoning: tokens?.reasoning ?? 0,
    cacheRead: tokens?.cache.read ?? 0,
    cacheWrite: tokens?.cache.write ?? 0,
    cost: cost ?? 0,
  }
}

function failure(kind: JobError["kind"], { message, status }: HostError): JobError {
  return { kind, message: status === undefined ? message : `${message} (HTTP ${status})` }
}
