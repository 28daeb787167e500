import { redError } from "../../machines/check-words.ts"
import type { JobInput } from "../../machines/events.ts"
import {
  type EndedState,
  hasEnded,
  type JobError,
  type JobRecord,
  withAttempts,
} from "../../machines/record.ts"
import { answerOfRun, placeOf } from "../host/answers.ts"
import type { HostMessage, HostSession } from "../host/port.ts"
import { promptID } from "../host/prompt-ids.ts"
import type { Options } from "../options.ts"
import { type Checked, unfit } from "./checked.ts"
import { redIn, uncheckedAnswer, unknownOutcome } from "./checking.ts"
import type { StoredJob, StoredRecord } from "./stored-job.ts"
import { type AskedRun, earlierText, textIn, withEarlier } from "./texts.ts"

/** A child session with the job that opencode's store has in it. */
export type StoredChild = { child: HostSession; stored: StoredJob }

export type FoundJob = StoredChild & {
  /** Whether another process, or another instance in this one, has the job. */
  isHeld: boolean
}

/** What a stored job, its session and its messages say of a job that this process does not know. */
export type Finding =
  /** Its holder lives: somebody else's, whether it has ended or not. */
  | { type: "held" }
  /** Only its messages tell. */
  | { type: "unread" }
  /** It has ended, and that is on record. Its text is with the child. */
  | { type: "ended"; record: JobRecord }
  /** Its end was decided and not yet carried out. The decision stands, whatever the child has answered since. */
  | { type: "decided"; record: JobRecord }
  /** The child had given its answer, or the provider its error. */
  | { type: "answered"; record: JobRecord }
  /** Nothing says how it ended, so its process did not see the end. */
  | { type: "interrupted"; record: JobRecord }
  /** It waited for other jobs and its child was never asked: what is to become of it follows from what became of them. */
  | { type: "blocked"; job: JobInput & { session: string }; interrupted: JobRecord }
  /** The same, and it is to go on; `interrupted` is its end where it cannot. */
  | { type: "unfinished"; job: JobInput & { session: string }; interrupted: JobRecord }

export type Evidence = FoundJob & {
  /** Of the child, where they were read. */
  messages?: readonly HostMessage[] | undefined
  /** What of an answer fits the job's schema; for a job that has one, where its messages were read. */
  check?: ((answer: string) => Checked) | undefined
  /** Whether the child's turn goes on in this opencode, as it does while opencode 2 reloads the plugin. */
  isRunning?: boolean | undefined
  /** Whether it comes from an instance of the plugin that was replaced in this process, whose turns go on. */
  isTakenOver?: boolean | undefined
  recover: Options["recover"]
  /** Epoch milliseconds. */
  now: number
}

export function findingOf(evidence: Evidence): Finding {
  const { child, stored, isHeld, messages, check, isRunning, isTakenOver, recover, now } = evidence
  const { askedAt } = stored
  const record = foundRecord(stored)
  const run: AskedRun = { session: child.id, askedAt, askedBefore: stored.askedBefore }
  if (isHeld) return { type: "held" }
  const messageID = promptID(child.id, askedAt)
  if (isEnded(record)) {
    const { text } = stored
    const ended = { ...adopted(child, record), ...(text !== undefined && { text }) }
    // One too long for the store is only in its messages.
    if (record.state !== "done" || !stored.schema || record.structured !== undefined)
      return { type: "ended", record: ended }
    if (!messages) return { type: "unread" }
    const checked = check?.(answerOfRun(messages, messageID).answer?.text ?? "")
    const structured = checked && "value" in checked ? { structured: checked.value } : {}
    return { type: "ended", record: { ...ended, ...structured } }
  }
  if (record.error) {
    return { type: "decided", record: endedAs(child, record, record.error, record.endedAt ?? now) }
  }
  if (stored.hasToPass && stored.checking && !stored.checking.result)
    return { type: "decided", record: endedAs(child, record, unknownOutcome(stored.hasToPass.command), now) }
  if (!messages) return { type: "unread" }

  const { answer, isRepaired } = answerOfRun(messages, messageID)
  const { error, isTruncated, isUnavailable, at: endedAt = now } = answer?.end ?? {}
  const interrupted = withText(endedAs(child, record, interruption(messages), now), messages, run)
  const again = () => jobAgain(child, stored, earlierText(messages, run))
  /** What it needed, it has been given. */
  const asked = () => ({ ...again(), ...(record.needs && { hasBegun: true as const }) })
  // Its process ended between two models. Asked again, it gets the same answer, which has it move on.
  if (isUnavailable && again().fallbacks?.length) {
    if (recover === "resume" || isRunning || isTakenOver)
      return { type: "unfinished", job: asked(), interrupted }
    if (isRefusalAll(messages))
      return { type: "interrupted", record: { ...interrupted, error: betweenModels(error) } }
  }
  // An abort came from the end of the process: it is neither an answer nor a failure.
  if (answer && error?.kind !== "interrupted") {
    const checked = error ? undefined : check?.(answer.text)
    const given = (text: string) => ({
      text: withEarlier(messages, run, text),
      ...(isTruncated && { isTruncated }),
    })
    if (checked && "problems" in checked) {
      const failed = { ...endedAs(child, record, unfit(checked.problems), endedAt), ...given(answer.text) }
      // It may still be corrected, for which nobody has asked yet.
      return !isRepaired && (recover === "resume" || isRunning || isTakenOver)
        ? { type: "unfinished", job: asked(), interrupted: failed }
        : { type: "answered", record: failed }
    }
    if (!error) {
      const done: JobRecord = {
        ...adopted(child, record),
        state: "done",
        ...given(checked ? JSON.stringify(checked.value) : answer.text),
        ...(checked && { structured: checked.value }),
        endedAt: endOf(record, endedAt),
      }
      const found = afterCheck(stored, answer.id, done, interrupted)
      if (found.type === "answered" || !(recover === "resume" || isRunning || isTakenOver)) return found
      return { type: "unfinished", job: asked(), interrupted: found.record }
    }
    return {
      type: "answered",
      record: withText(endedAs(child, record, error, endedAt), messages, run),
    }
  }
  // What still runs is joined: that costs no second model call. What nothing has cut off goes on as well.
  const isUnasked = isTakenOver && placeOf(messages, messageID) === undefined
  const hasBegun = placeOf(messages, messageID) !== undefined
  const job = {
    ...(hasBegun ? asked() : again()),
    ...(messages.length === 0 && !isRunning && { isUnasked: true as const }),
  }
  if (recover === "resume" || isRunning || isUnasked) return { type: "unfinished", job, interrupted }
  if (record.needs && !hasBegun) return { type: "blocked", job, interrupted }
  return { type: "interrupted", record: interrupted }
}

/** Whether all that a model has said is that it cannot be had: any other one is asked the same then. */
function isRefusalAll(messages: readonly HostMessage[]): boolean {
  const said = messages.filter((message) => message.role === "assistant")
  return said.every(({ text, end }) => text === "" && end?.isUnavailable === true)
}

/** What an answer comes to whose job may have to pass a check. */
function afterCheck(
  { hasToPass, checking }: StoredJob,
  answer: string,
  done: JobRecord,
  interrupted: JobRecord,
): { type: "answered" | "interrupted"; record: JobRecord } {
  const last = checking?.answer === answer ? checking : undefined
  if (!hasToPass || last?.result?.exitCode === 0) return { type: "answered", record: done }
  const { structured: _structured, ...unproven } = done
  if (last && last.round > hasToPass.attempts) {
    const error = redError(hasToPass.command, last.round, last.result?.exitCode)
    return { type: "answered", record: { ...unproven, state: "failed", error } }
  }
  const { endedAt } = interrupted
  const error = last ? interrupted.error : uncheckedAnswer(hasToPass.command)
  return { type: "interrupted", record: { ...unproven, state: "failed", error, endedAt } }
}

type FoundRecord = StoredRecord & Pick<JobRecord, "subagents">

/** Its record as it stood when its process ended: what changes while a run goes on is stored apart from it. */
function foundRecord(stored: StoredJob): FoundRecord {
  const { subagents } = stored
  return { ...withCheck(stored), ...(subagents && { subagents }) }
}

function withCheck({ record, hasToPass, checking }: StoredJob): StoredRecord {
  if (!hasToPass || !checking || isEnded(record)) return record
  const { exitCode, output = "" } = checking.result ?? {}
  const { command } = hasToPass
  return {
    ...record,
    ...(checking.worktree && { worktree: checking.worktree }),
    check: { command, rounds: checking.round, ...(exitCode !== undefined && { exitCode }), output },
  }
}

export const isEnded = (record: StoredRecord) => hasEnded({ ...record, session: "" })

/**
 * A call that reached opencode twice made two sessions for one job, of which one has never been asked anything. In the
 * order in which the jobs were started: two processes may have given two jobs of one owner the same id.
 * @param isUsed whether it is known already that the job goes on in this session
 */
export function onePerJob<Found extends StoredChild>(
  found: readonly Found[],
  isUsed: (session: string) => boolean = () => false,
): Found[] {
  const worth = ({ child, stored: { record } }: StoredChild): number[] => {
    if (isUsed(child.id)) return [Number.MAX_VALUE]
    if (isEnded(record)) return [Number.MAX_SAFE_INTEGER]
    // It was made for the next model, and goes on in it.
    return [record.attempts?.length ?? 0, child.updatedAt]
  }
  const latest = new Map<string, Found>()
  for (const each of found.toSorted((a, b) => inOrder(worth(a), worth(b)))) latest.set(keyOf(each), each)
  return [...latest.values()].toSorted(
    (a, b) => a.stored.record.createdAt - b.stored.record.createdAt || (a.child.id < b.child.id ? -1 : 1),
  )
}

function inOrder([a = 0, ...restOfA]: number[], [b = 0, ...restOfB]: number[]): number {
  return a - b || (restOfA.length + restOfB.length > 0 ? inOrder(restOfA, restOfB) : 0)
}

/** An earlier version gave jobs no key. */
function keyOf({ stored: { key, record } }: StoredChild): string {
  return key ?? `${record.owner}/${record.id}/${record.createdAt}`
}

function interruption(messages: readonly HostMessage[]): JobError {
  const last = messages.at(-1)
  // opencode keeps a text once it is whole: of a message that has none, nobody can tell how far it had come.
  const isDraftLost = last?.role === "assistant" && !last.end && last.text === ""
  const lost = isDraftLost ? " What it had not finished writing is lost." : ""
  return { kind: "interrupted", message: `opencode ended while it ran.${lost} agents_send continues it.` }
}

function betweenModels(refusal: JobError | undefined): JobError {
  const why = refusal ? `${refusal.message}. ` : ""
  const message = `${why}opencode ended before the next model was asked. agents_send continues it.`
  return { kind: "interrupted", message }
}

/** Without a text where opencode has lost it: that is not the same as none. */
function withText(record: JobRecord, messages: readonly HostMessage[], run: AskedRun): JobRecord {
  const text = textIn(messages, record, run)
  if (text.kind === "text") return { ...record, text: text.text }
  return text.kind === "nothing" ? { ...record, text: "" } : record
}

/** Its end for a reason of this process. */
export function endedAs(
  child: HostSession,
  record: FoundRecord,
  error: JobError,
  endedAt: number,
): JobRecord {
  return { ...adopted(child, record), state: stateFor(error), error, endedAt: endOf(record, endedAt) }
}

/** The clock may have been set back: nothing ends before it began. */
const endOf = ({ startedAt, createdAt }: StoredRecord, at: number) => Math.max(at, startedAt ?? createdAt)

function adopted(child: HostSession, record: FoundRecord): JobRecord {
  const { phase: _phase, deadlineAt: _deadline, ...kept } = record
  return { ...kept, session: child.id, usage: withAttempts(child.usage, record.attempts) }
}

function stateFor({ kind }: JobError): EndedState {
  if (kind === "cancelled" || kind === "budget") return "cancelled"
  return kind === "total" || kind === "idle" ? "timedOut" : "failed"
}

function jobAgain(child: HostSession, stored: StoredJob, earlier: string): JobInput & { session: string } {
  const {
    record,
    prompt,
    variant,
    schema,
    each,
    item,
    isolation,
    hasToPass,
    fallbacks,
    subagents,
    ownerAgent,
    ...others
  } = stored
  const { mayStartJobs, askedAt, timeoutMs, idleMs } = others
  const {
    id,
    owner,
    batch,
    budget,
    description,
    agent,
    model,
    attempts,
    needs,
    wentOn,
    worktree,
    run,
    createdAt,
  } = record
  return {
    id,
    owner,
    batch,
    budget,
    description,
    prompt,
    agent,
    model,
    variant,
    schema,
    isolation: run === 1 ? isolation : undefined,
    hasToPass,
    checked: redIn(stored.checking),
    // A follow-up means nothing in a session of its own.
    fallbacks: run === 1 ? fallbacks : undefined,
    attempts,
    subagents,
    startedBy: ownerAgent === undefined ? undefined : { message: "", agent: ownerAgent },
    each,
    item,
    mayStartJobs,
    needs,
    wentOn,
    worktree,
    createdAt,
    askedAt,
    run,
    session: child.id,
    earlier: {
      usage: withAttempts(child.usage, attempts),
      ...(earlier !== "" && { text: earlier, isUndelivered: true }),
    },
    timeoutMs,
    idleMs,
  }
}
