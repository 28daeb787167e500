import { createActor, fromPromise, waitFor } from "xstate"
import { realClock } from "../../machines/clock.ts"
import type { Answer, ChildInput } from "../../machines/effects.ts"
import type { JobError, JobKey } from "../../machines/record.ts"
import { answerOf, finalAnswer, isGiven, isUnended } from "../host/answers.ts"
import type {
  AssistantMessage,
  Host,
  HostError,
  HostEvent,
  HostMessage,
  Prompt,
  Result,
} from "../host/port.ts"
import { isRecheckOf, isRepairOf, promptID, recheckID } from "../host/prompt-ids.ts"
import { redPrompt } from "./check/red.ts"
import { childDeleted, failure } from "./failure.ts"
import { askingFor, checkFor, stillAskingFor } from "./schema/schemas.ts"
import { type Turn, type TurnAnswer, turnMachine } from "./turn-machine.ts"

/** What a message to a working child came to. */
export type Told =
  | { outcome: "told" }
  /** Its turn is over, or it has none: the message is a follow-up. */
  | { outcome: "over" }
  | { outcome: "refused"; reason: string }

type Run = { job: JobKey; turn: Turn }

/** The turns of the children at work: one actor for each run of a job. */
export class Turns {
  readonly #host: Host
  readonly #bySession = new Map<string, Run>()

  constructor(host: Host) {
    this.#host = host
  }

  /**
   * Asks the child, and whatever it is told meanwhile. Resolves with its last answer; with nothing where `signal`
   * aborted first. Rejects with a `JobError`.
   */
  async run(child: ChildInput, signal: AbortSignal): Promise<Omit<Answer, "usage"> | undefined> {
    const { job, session } = child
    const prompt: Prompt = {
      session,
      ...askedIn(child),
      agent: job.agent,
      model: job.model,
      variant: job.variant,
    }
    const turn: Turn = createActor(this.#machine, { input: { prompt, schema: job.schema }, clock: realClock })
    this.#bySession.set(session, { job: { owner: job.owner, id: job.id }, turn })
    const drop = () => turn.getSnapshot().status === "active" && turn.send({ type: "turn.drop" })
    signal.addEventListener("abort", drop, { once: true })
    turn.start()
    const { value, context } = await waitFor(turn, ({ status }) => status !== "active", { timeout: Infinity })
    if (value === "dropped") return undefined
    if (value === "failed") throw context.failure
    if (!context.answer) return undefined
    const { answers: _answers, at, id, ...answer } = context.answer
    return { ...answer, ...(id !== undefined && at !== undefined && { message: { id, at } }) }
  }

  /** A job's run is over: nothing of it is kept, unless the child was asked anew meanwhile. */
  forget(session: string, turn = this.of(session)): void {
    if (turn && this.of(session) === turn) this.#bySession.delete(session)
  }

  of(session: string): Turn | undefined {
    return this.#bySession.get(session)?.turn
  }

  /** What a working child is writing; empty before it has written anything. */
  draftOf(session: string): string {
    return this.of(session)?.getSnapshot().context.draft.text.trim() ?? ""
  }

  /** The part of an answer that `draftOf` is of, with all that has come of it; nothing before it has written anything. */
  partOf(session: string): { part: string; text: string } | undefined {
    const { part, text } = this.of(session)?.getSnapshot().context.draft ?? {}
    return part === undefined || text === undefined ? undefined : { part, text }
  }

  /** Hands a working child more text, which it takes up at its next step. */
  async tell(session: string, text: string, at: number): Promise<Told> {
    const turn = this.of(session)
    const { status, context } = turn?.getSnapshot() ?? {}
    if (!turn || !context || status !== "active") return { outcome: "over" }
    // opencode takes two messages of one id for one, and ids follow from the time.
    const time = Math.max(at, context.lastAt + 1)
    const messageID = promptID(session, time)
    const prompt = { ...context.asked, messageID, text: context.schema ? stillAskingFor(text) : text }
    turn.send({ type: "message.told", prompt, at: time })
    const sent = await this.#host.steer(prompt)
    // Without an answer opencode may have taken it: asked by the same ids, it is taken once.
    const isSent = sent.ok || sent.error.isInDoubt === true
    turn.send({ type: isSent ? "message.sent" : "message.refused", messageID })
    return sent.ok || sent.error.isInDoubt
      ? { outcome: "told" }
      : { outcome: "refused", reason: sent.error.message }
  }

  /** What the child was told in this run beside its prompt, as far as opencode or the turn itself knows. */
  toldIn({ job, session }: ChildInput, messages: readonly HostMessage[]): string[] {
    const first = promptID(session, job.askedAt)
    const { asked, told = [] } = this.of(session)?.getSnapshot().context ?? {}
    const known = [...(asked ? [asked] : []), ...told.map(({ prompt }) => prompt)]
    const said = new Map(known.map(({ messageID, text }) => [messageID, text]))
    for (const { role, id, text } of messages) if (role === "user") said.set(id, text)
    // A prompt that a crash has cut off is asked anew under another id.
    const prompt = said.get(first)
    const isOurs = (id: string) =>
      id === first || isRecheckOf(id, first) || [...said.keys()].some((other) => isRepairOf(id, other))
    return [...said]
      .filter(([id, text]) => !isOurs(id) && text !== "" && text !== prompt)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, text]) => text)
  }

  /** Has the turn look whether its answer is there. Resolves when it has looked. */
  async look(session: string): Promise<void> {
    const turn = this.of(session)
    if (!turn) return
    turn.send({ type: "answer.look" })
    await waitFor(turn, (snapshot) => !snapshot.matches({ asking: "looking" }), { timeout: Infinity })
  }

  hear(event: HostEvent): void {
    const turn = this.of(event.session)
    if (event.type === "text.updated") turn?.send({ type: "text.opened", part: event.part })
    if (event.type === "text.streamed")
      turn?.send({ type: "text.streamed", part: event.part, delta: event.delta })
  }

  /** The turns under way, for those who look. */
  *actors(): Iterable<{ job: JobKey; session: string; state: string }> {
    for (const [session, { job, turn }] of this.#bySession) {
      const { value } = turn.getSnapshot()
      yield { job, session, state: typeof value === "string" ? value : `asking.${value.asking}` }
    }
  }

  async #failureOf(session: string, error: HostError): Promise<JobError> {
    const isGone = error.status === 404 && isNotFound(await this.#host.session(session))
    return isGone ? childDeleted : failure("prompt", error)
  }

  readonly #machine = turnMachine.provide({
    actors: {
      ask: fromPromise(async ({ input }) => {
        const answer = await this.#host.prompt(input)
        if (!answer.ok) throw await this.#failureOf(input.session, answer.error)
        return turnAnswerOf(answer.value)
      }),
      findAnswer: fromPromise(async ({ input: { session, messageID } }) => {
        const messages = await this.#host.messages(session)
        if (!messages.ok) throw failure("prompt", messages.error)
        const answer = finalAnswer(messages.value, messageID)
        // What opencode cuts off as it ends has not failed.
        const isOver = isGiven(answer) || !isUnended(messages.value, messageID)
        return { answer: answer && isOver ? turnAnswerOf(answer) : undefined }
      }),
      check: fromPromise(async ({ input: { schema, text } }) => (await checkFor(schema))(text)),
    },
  })
}

/** What it is asked first: its prompt, or to put right what did not pass. */
function askedIn(child: ChildInput): Pick<Prompt, "messageID" | "text"> {
  const { job, session, red } = child
  const messageID = promptID(session, job.askedAt)
  if (red) {
    const text = redPrompt(child)
    return {
      messageID: recheckID(messageID, red.endedAt),
      text: job.schema ? stillAskingFor(text) : text,
    }
  }
  return { messageID, text: job.schema ? askingFor(job.prompt, job.schema) : job.prompt }
}

function turnAnswerOf(message: HostMessage): TurnAnswer {
  const { answers, end }: Partial<AssistantMessage> = message.role === "assistant" ? message : {}
  return { ...answerOf(message), ...(answers && { answers }), at: end?.at ?? Date.now(), id: message.id }
}

const isNotFound = (result: Result<unknown>) => !result.ok && result.error.status === 404
