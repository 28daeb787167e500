import type { Answer, ChildInput, Effects, StopChildOutput } from "../machines/effects.ts"
import type { JobInput } from "../machines/events.ts"
import { type JobError, type JobRecord, NO_USAGE, type Usage } from "../machines/record.ts"
import { Drafts } from "./drafts.ts"
import type {
  Host,
  HostError,
  Message,
  MessageWithParts,
  PermissionRule,
  Prompt,
  Result,
  Session,
} from "./host.ts"
import { wordsOf } from "./host.ts"
import { promptIds } from "./ids.ts"

export type ChildrenOptions = {
  host: Host
  /** The metadata that a job's child session starts with. */
  metadataFor(job: JobInput): Record<string, unknown>
  /** The tools that start and steer jobs: a child that may not start any does not even see them. */
  jobTools: readonly string[]
}

/** The children of all jobs: what jobs have done with them, and what they are told while they work. */
export type Children = {
  effects: Effects
  /** Hands a working child more text, which it takes up at its next step. */
  tell(job: JobRecord, text: string, at: number): Promise<Result<void>>
  /** Takes any event of opencode. */
  hear(event: object): void
  /** What a working child is writing; empty before it has written anything. */
  draftOf(session: string): string
}

export function createChildren({ host, metadataFor, jobTools }: ChildrenOptions): Children {
  /** What each working child was asked, and told since. */
  const toldMeanwhile = new Map<string, Set<Prompt>>()
  const drafts = new Drafts()

  const effects: Effects = {
    async openSession(job) {
      const session = await host.createSession({
        parentID: job.owner,
        title: `${job.description} (@${job.agent} ${job.id})`,
        agent: job.agent,
        permission: [...(job.rules ?? []), ...(job.mayStartJobs ? [] : hidden(jobTools))],
        metadata: metadataFor(job),
      })
      if (!session.ok) throw failure("create", session.error)
      return { session: session.value.id }
    },

    async promptChild({ job, session }) {
      const prompts = new Set([firstPrompt({ job, session })])
      toldMeanwhile.set(session, prompts)
      drafts.begin(session)
      try {
        let answer: MessageWithParts | undefined
        // What came too late for the turn has its own: asking by the same ids joins it, or returns its answer.
        for (const prompt of prompts) answer = await ask(prompt)
        if (!answer) throw failure("prompt", { message: "opencode gave no answer" })
        const outcome = answerOf(answer, await usageOf(host, session))
        if (!outcome.error) return outcome
        // What came before the failure is in the messages of earlier steps too.
        const { text } = await writtenBy({ job, session }, drafts.of(session))
        return { ...outcome, text: text ?? outcome.text }
      } finally {
        if (toldMeanwhile.get(session) === prompts) {
          toldMeanwhile.delete(session)
          drafts.end(session)
        }
      }
    },

    async stopChild(child) {
      const draft = drafts.of(child.session)
      const aborted = await host.abort(child.session)
      if (!aborted.ok) void host.log("warn", `could not abort ${child.session}: ${aborted.error.message}`)
      return writtenBy(child, draft)
    },
  }

  /** @param draft what the child was writing when it failed or was stopped; opencode may have kept it or not. */
  async function writtenBy({ job, session }: ChildInput, draft: string): Promise<StopChildOutput> {
    const [messages, usage] = await Promise.all([host.messages(session), usageOf(host, session)])
    const kept = messages.ok ? textSince(messages.value, promptIds(session, job.askedAt).messageID) : ""
    const text = kept.includes(draft) ? kept : [kept, draft].filter((each) => each !== "").join("\n\n")
    return { text: text || undefined, usage }
  }

  function firstPrompt({ job, session }: ChildInput): Prompt {
    return {
      session,
      ...promptIds(session, job.askedAt),
      text: job.prompt,
      agent: job.agent,
      model: job.model,
      variant: job.variant,
    }
  }

  async function ask(prompt: Prompt): Promise<MessageWithParts> {
    const asked = await host.prompt(prompt)
    if (asked.ok) return asked.value
    const answer = await answerInDoubt(host, prompt.session, prompt.messageID)
    if (!answer) throw failure("prompt", asked.error)
    return answer
  }

  async function tell({ session }: JobRecord, text: string, at: number): Promise<Result<void>> {
    const prompts = toldMeanwhile.get(session)
    const [first] = prompts ?? []
    if (!prompts || !first) return { ok: false, error: { message: "its turn is over" } }
    const prompt = { ...first, ...freeIds(session, at, prompts), text }
    // Before it is sent: what comes just as the turn ends still gets its answer.
    prompts.add(prompt)
    const sent = await host.send(prompt)
    if (!sent.ok) prompts.delete(prompt)
    return sent
  }

  return {
    effects,
    tell,
    hear: (event) => drafts.handle(event),
    draftOf: (session) => drafts.of(session),
  }
}

/** opencode takes two messages of one id for one: those of the same millisecond get ids of the next ones. */
function freeIds(session: string, at: number, taken: ReadonlySet<Prompt>): ReturnType<typeof promptIds> {
  const ids = promptIds(session, at)
  const isTaken = [...taken].some(({ messageID }) => messageID === ids.messageID)
  return isTaken ? freeIds(session, at + 1, taken) : ids
}

/**
 * A tool that is denied everywhere is not even offered. A prompt's own `tools` would do the same, but opencode puts
 * them in the place of all the session's rules.
 */
function hidden(tools: readonly string[]): PermissionRule[] {
  return tools.map((permission) => ({ permission, pattern: "*", action: "deny" }))
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
  if (isFinal(message.info)) return { text, usage }
  return { text, usage, error: refusalIn(message) ?? abortedOutside }
}

/** A permission that a person refused, or a question they dismissed, ends the child's turn at that tool call. */
function refusalIn({ parts }: MessageWithParts): JobError | undefined {
  for (const part of parts) {
    if (part.type !== "tool" || part.state.status !== "error") continue
    return { kind: "interrupted", message: `its turn ended at a call of ${part.tool}: ${part.state.error}` }
  }
  return undefined
}

/** An abort while opencode backs off ends the turn like this: without an error, and without an answer. */
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

/** What was written in a run: all that follows its prompt, with the answers to what was told meanwhile. */
function textSince(messages: readonly MessageWithParts[], asked: string): string {
  const from = messages.findIndex(({ info }) => info.id === asked)
  return messages
    .filter(({ info }, index) => from !== -1 && index > from && info.role === "assistant")
    .map(textOf)
    .filter((each) => each !== "")
    .join("\n\n")
}

export function textOf({ parts }: MessageWithParts): string {
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
