import type { ChildInput, Effects, StopChildOutput } from "../../machines/effects.ts"
import type { JobInput } from "../../machines/events.ts"
import { hasEnded, type JobError, type JobRecord, type Usage } from "../../machines/record.ts"
import { answerOf, finalAnswer, textSince } from "../host/answers.ts"
import type {
  Host,
  HostError,
  HostEvent,
  HostMessage,
  HostSession,
  PermissionRule,
  Prompt,
  Result,
} from "../host/port.ts"
import { promptIds } from "../host/prompt-ids.ts"
import { within } from "../util/within.ts"
import { Drafts } from "./drafts.ts"
import { Lulls } from "./lulls.ts"

/** Longest waits while a child is stopped: together less than its job waits for that. Milliseconds. */
const abortPatience = 2_000
const textPatience = 2_000
/** Longest wait for what a child has used, which its events have told too. Milliseconds. */
const usagePatience = 1_500
/** First and last pause before an abort that opencode did not take is tried again. Milliseconds. */
const firstPause = 250
const lastPause = 32_000

export type ChildrenOptions = {
  host: Host
  /** What a job's child session is made with. */
  storedFor(job: JobInput): Promise<object>
  /** The tools that start and steer jobs: a child that may not start any does not even see them. */
  jobTools: readonly string[]
  recordOf(job: JobInput): JobRecord | undefined
}

/** The children of all jobs: what jobs have done with them, and what they are told while they work. */
export type Children = {
  effects: Effects
  /** Hands a working child more text, which it takes up at its next step. */
  tell(job: JobRecord, text: string, at: number): Promise<Result<void>>
  hear(event: HostEvent): void
  /** What a working child is writing; empty before it has written anything. */
  draftOf(session: string): string
}

export function createChildren({ host, storedFor, jobTools, recordOf }: ChildrenOptions): Children {
  /** What each working child was asked, and told since. */
  const toldMeanwhile = new Map<string, Set<Prompt>>()
  const drafts = new Drafts()
  const lulls = new Lulls()

  const effects: Effects = {
    async openSession(job, signal) {
      const session = await host.createSession({
        parent: job.owner,
        title: `${job.description} (@${job.agent} ${job.id})`,
        agent: job.agent,
        rules: [...(job.rules ?? []), ...(job.mayStartJobs ? [] : hidden(jobTools))],
        stored: await storedFor(job),
      })
      if (!session.ok) throw failure("create", session.error)
      const record = recordOf(job)
      // Nobody would ever look at the session of a job that has failed meanwhile.
      if (signal.aborted && record && hasEnded(record)) await remove(session.value.id)
      return { session: session.value.id }
    },

    async promptChild({ job, session }, signal) {
      const prompts = new Set([firstPrompt({ job, session })])
      toldMeanwhile.set(session, prompts)
      drafts.begin(session)
      try {
        let answer: HostMessage | undefined
        // What came too late for the turn has its own: asking by the same ids joins it, or returns its answer.
        for (const prompt of prompts) answer = await ask(prompt, signal)
        if (!answer) throw failure("prompt", { message: "opencode gave no answer" })
        const outcome = answerOf(answer)
        if (!outcome.error) return { ...outcome, usage: await usageOf(host, session) }
        // What came before the failure is in the messages of earlier steps too.
        const written = await writtenBy({ job, session }, drafts.of(session))
        return { ...outcome, text: written.text ?? outcome.text, usage: written.usage }
      } finally {
        if (toldMeanwhile.get(session) === prompts) {
          toldMeanwhile.delete(session)
          drafts.end(session)
        }
      }
    },

    async stopChild(child) {
      const draft = drafts.of(child.session)
      await within(abortPatience, abort(child.session), () => undefined)
      return within(textPatience, writtenBy(child, draft), () => ({ text: draft || undefined }))
    },
  }

  function remove(session: string): Promise<void> {
    return insist(`remove ${session}`, () => host.deleteSession(session))
  }

  /** A child that nobody waits for must not go on working. */
  function abort(session: string): Promise<void> {
    const run = toldMeanwhile.get(session)
    const isAskedAnew = () => toldMeanwhile.has(session) && toldMeanwhile.get(session) !== run
    return insist(`stop ${session}, which may still be working`, () => host.abort(session), isAskedAnew)
  }

  /** Tries until opencode has done it, for about a minute. */
  async function insist(
    what: string,
    act: () => Promise<Result<unknown>>,
    isObsolete = () => false,
  ): Promise<void> {
    for (let pause = firstPause; !isObsolete(); pause *= 2) {
      const acted = await act()
      if (acted.ok || acted.error.status === 404) return
      const complaint = `could not ${what}: ${acted.error.message}`
      void host.log("warn", complaint)
      if (pause > lastPause) {
        void host.toast({ message: complaint, variant: "error" })
        return
      }
      await new Promise((resolve) => setTimeout(resolve, pause).unref())
    }
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

  async function ask(prompt: Prompt, signal: AbortSignal): Promise<HostMessage> {
    const asked = await answerTo(prompt, signal)
    if (asked.ok) return asked.value
    // The call failed, which says nothing of the child: what its messages say is what counts.
    const answer = await answerInDoubt(host, prompt)
    if (!answer) throw failure("prompt", asked.error)
    return answer
  }

  /** What the call gives, or should that get lost, what the child's messages say once its turn is over. */
  function answerTo(prompt: Prompt, signal: AbortSignal): Promise<Result<HostMessage>> {
    let letGo = () => {}
    const answer = new Promise<Result<HostMessage>>((resolve, reject) => {
      letGo = lulls.watch(prompt.session, async () => {
        const value = await answerInDoubt(host, prompt)
        if (value) resolve({ ok: true, value })
      })
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
      host.prompt(prompt).then(resolve, reject)
    })
    return answer.finally(letGo)
  }

  async function tell({ session }: JobRecord, text: string, at: number): Promise<Result<void>> {
    const prompts = toldMeanwhile.get(session)
    const [first] = prompts ?? []
    if (!prompts || !first) return { ok: false, error: { message: "its turn is over" } }
    const prompt = { ...first, ...freeIds(session, at, prompts), text }
    // Before it is sent: what comes just as the turn ends still gets its answer.
    prompts.add(prompt)
    const sent = await host.send(prompt)
    if (sent.ok || (sent.error.isInDoubt && (await isStored(prompt)))) return { ok: true, value: undefined }
    prompts.delete(prompt)
    return sent
  }

  async function isStored({ session, messageID }: Prompt): Promise<boolean> {
    return (await host.message(session, messageID)).ok
  }

  return {
    effects,
    tell,
    hear(event) {
      drafts.handle(event)
      lulls.handle(event)
    },
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

async function answerInDoubt(host: Host, { session, messageID }: Prompt): Promise<HostMessage | undefined> {
  const messages = await host.messages(session)
  return messages.ok ? finalAnswer(messages.value, messageID) : undefined
}

async function usageOf(host: Host, session: string): Promise<Usage | undefined> {
  const found: Result<HostSession> = await within(usagePatience, host.session(session), noAnswer)
  return found.ok ? found.value.usage : undefined
}

const noAnswer = (): Result<never> => ({ ok: false, error: { message: "opencode gave no answer" } })

function failure(kind: JobError["kind"], { message, status }: HostError): JobError {
  return { kind, message: status === undefined ? message : `${message} (HTTP ${status})` }
}
