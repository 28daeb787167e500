import type { JobInput } from "../../machines/events.ts"
import { endOf, openNeeds, standingOf } from "../../machines/needs.ts"
import { hasEnded, type JobKey, type JobRecord, type Need, type Worktree } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import { type Host, isGone, type ModelChoice, type ToolCall } from "../host/port.ts"
import type { Options } from "../options.ts"
import type { JobStore } from "../records/store.ts"
import type { StoredJob } from "../records/stored-job.ts"
import { textOf } from "../records/texts.ts"
import { wholeMs } from "../util/whole-ms.ts"
import { within } from "../util/within.ts"
import { holdToOwner } from "./hold.ts"
import type { Turns } from "./turns.ts"

export type MessengerOptions = {
  troupe: Troupe
  host: Host
  turns: Turns
  store: JobStore
  /** Which results their owners have, or have in the answer of another call. */
  inbox: { isTaken(record: JobRecord, call: string | undefined): boolean }
  isolation: { isThere(worktree: Worktree): boolean }
  /** Why a job may not run again, where that is so. */
  budgets: { refusalFor(record: JobRecord): string | undefined }
  options: Options
  now: () => number
}

/**
 * Hands a job a message, from its owner or from a person: a running one gets it at its next step, an ended one runs
 * again in the same child session.
 */
export type Messenger = {
  /**
   * Returns in words what becomes of the message. @throws Error that says why it could not be sent.
   * @param call the owner's, where it is the owner who sends
   */
  send(record: JobRecord, message: string, call?: Sender): Promise<string>
  /**
   * Runs a job again as it was asked, whose child was never asked because of what it needs.
   * @throws Error that says why it could not be
   */
  goOn(record: JobRecord): Promise<void>
  /** @throws Error where the session that the message would go to was deleted. */
  reach(record: JobRecord): Promise<void>
}

type Sender = Pick<ToolCall, "place" | "agent"> & {
  /** Before the job runs again and is checked again. Rejects where that is not permitted. */
  assureCheck(): Promise<void>
}

/** Longest wait for a follow-up to be stored. Milliseconds. */
const saveTimeout = 5_000

/** Nothing else of a job that prompts has a child to be told something. */
const isAtWork = ({ phase }: JobRecord) =>
  phase === "working" || phase === "retrying" || phase === "permission" || phase === "question"

const elsewhere = ({ id }: JobRecord) =>
  `another opencode has continued ${id}: send it there, or start a new job. Nothing was sent.`

export function createMessenger({
  isolation,
  troupe,
  host,
  turns,
  store,
  inbox,
  budgets,
  options,
  now,
}: MessengerOptions): Messenger {
  /** The last message for each job: they are handed over one by one. */
  const queues = new Map<string, Promise<unknown>>()

  function send(record: JobRecord, message: string, call?: Sender): Promise<string> {
    return inTurn(record, async () => {
      await reach(record)
      await holdBack(record, call)
      return hand(troupe.records.get(record.owner, record.id) ?? record, message, call)
    })
  }

  function goOn({ owner, id, run }: JobRecord): Promise<void> {
    return inTurn({ owner, id }, async () => {
      // Its owner may have sent it a message meanwhile.
      const record = troupe.records.get(owner, id)
      if (record?.run !== run || record.error?.kind !== "dependency") return
      await reach(record)
      await holdBack(record)
      const stored = await store.read(record.session)
      if (!stored) throw new Error("opencode does not say what it was asked")
      const isNew = (await isUnasked(record)) && ({ isUnasked: true } as const)
      await runAgain(record, { prompt: stored.prompt, needs: record.needs, wentOn: true, ...isNew }, stored)
    })
  }

  function inTurn<T>(job: JobKey, handOver: () => Promise<T>): Promise<T> {
    const key = `${job.owner}/${job.id}`
    const sending = (queues.get(key) ?? Promise.resolve()).then(handOver, handOver)
    queues.set(key, sending)
    const forget = () => void (queues.get(key) === sending && queues.delete(key))
    sending.then(forget, forget)
    return sending
  }

  async function reach({ id, session, worktree }: JobRecord): Promise<void> {
    if (worktree && !isolation.isThere(worktree))
      throw new Error(
        `the worktree of ${id} was removed (${worktree.directory}), so it cannot continue: start a new job. Nothing was sent.`,
      )
    if (session !== "" && isGone(await host.session(session)))
      throw new Error(
        `the session of ${id} was deleted, so it cannot continue: start a new job. Nothing was sent.`,
      )
  }

  /** The owner may do less now than when it started the job, whoever it is that sends. */
  async function holdBack({ owner, session, agent }: JobRecord, call?: Sender): Promise<void> {
    if (session === "") return
    const ownerAgent = call?.agent ?? (await store.read(session))?.ownerAgent
    const [held] = await holdToOwner(host, owner, [{ session, agent, ownerAgent }])
    if (held?.ok === false) throw new Error(`${held.error.message}. Nothing was sent.`)
  }

  async function hand(record: JobRecord, message: string, call?: Sender): Promise<string> {
    return hasEnded(record) ? followUp(record, message, call) : tell(record, message, call)
  }

  async function tell(record: JobRecord, message: string, call?: Sender): Promise<string> {
    if (record.state !== "prompting" || !isAtWork(record)) {
      throw new Error(
        `${record.id} is ${record.phase} and cannot take a message now; send it again once it is working or has ended. ` +
          "Nothing was sent.",
      )
    }
    if (record.isGroup)
      throw new Error(
        `${record.id} stands for its items: send it to one of them, like ${record.id}.1. Nothing was sent.`,
      )
    const told = await turns.tell(record.session, message, now())
    if (told.outcome === "told") return "It gets the message at its next step."
    if (told.outcome === "refused")
      throw new Error(`opencode did not accept the message: ${told.reason}. Nothing was sent.`)
    // Its last answer is there, and its record about to say so.
    return hand(await ended(record), message, call)
  }

  function ended({ owner, id, run }: JobRecord): Promise<JobRecord> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const record = troupe.records.get(owner, id)
        if (!record) reject(new Error(`${id} is gone with its owner. Nothing was sent.`))
        else if (hasEnded(record) || record.run !== run) resolve(record)
        else return
        for (const stop of subscriptions) stop()
      }
      const subscriptions = [troupe.records.subscribe(look), troupe.records.onForgotten(look)]
      look()
    })
  }

  async function followUp(record: JobRecord, message: string, call?: Sender): Promise<string> {
    if (record.session === "") {
      throw new Error(`${record.id} never had a session to continue in; start a new job. Nothing was sent.`)
    }
    await call?.assureCheck()
    const stored = await store.read(record.session)
    // One that stands for others has nobody to tell: it looks again what has become of them.
    if (stored?.each)
      return runAgain(record, { prompt: stored.prompt, needs: record.needs }, stored, { message, call })
    const asked = stored && (await isUnasked(record)) ? asAsked(record, stored, message) : { prompt: message }
    return runAgain(record, asked, stored, { message, call })
  }

  /** @param sent what it is sent, where it is */
  async function runAgain(
    record: JobRecord,
    { prompt, needs, wentOn, isUnasked }: Pick<JobInput, "prompt" | "needs" | "wentOn" | "isUnasked">,
    stored: StoredJob | undefined,
    sent?: { message: string; call?: Sender | undefined },
  ): Promise<string> {
    const call = sent?.call
    const refusal = budgets.refusalFor(record)
    if (refusal !== undefined) throw new Error(`${refusal} Nothing was sent.`)
    const text = await textOf(host, record)
    const current = troupe.records.get(record.owner, record.id)
    if (!current) throw new Error(`${record.id} is gone with its owner. Nothing was sent.`)
    // Recovery may have found a run that another process has begun.
    if (current.run !== record.run) return sent ? hand(current, sent.message, call) : ""
    if (!stored && record.check)
      throw new Error(`the check of ${record.id} cannot be read: start a new job. Nothing was sent.`)
    const hasSchema = record.structured !== undefined || record.error?.kind === "schema"
    if (!stored && hasSchema)
      throw new Error(`the schema of ${record.id} cannot be read: start a new job. Nothing was sent.`)
    if (stored && stored.record.run > record.run) throw new Error(elsewhere(record))
    const next = await nextModel(record, stored)
    const isUndelivered = !inbox.isTaken(current, call?.place.call)
    const job: JobInput = {
      id: record.id,
      owner: record.owner,
      batch: record.batch,
      budget: record.budget,
      description: record.description,
      prompt,
      needs,
      wentOn,
      agent: record.agent,
      model: record.model,
      variant: next ? next.variant : stored?.variant,
      // Where it was never asked, it has said nothing that a fresh session would not know.
      fallbacks: record.startedAt === undefined ? stored?.fallbacks : undefined,
      attempts: record.attempts,
      subagents: record.subagents,
      worktree: record.worktree,
      isolation: isUnasked ? stored?.isolation : undefined,
      schema: stored?.schema,
      each: stored?.each,
      hasToPass: stored?.hasToPass,
      item: stored?.item,
      mayStartJobs: stored?.mayStartJobs,
      startedBy: call && { ...call.place, agent: call.agent },
      createdAt: record.createdAt,
      askedAt: now(),
      run: record.run + 1,
      session: record.session,
      isUnasked,
      earlier: {
        text: text.kind === "text" ? text.text : undefined,
        isUndelivered,
        usage: record.usage,
      },
      timeoutMs: stored?.timeoutMs ?? wholeMs(options.timeoutSeconds),
      idleMs: stored?.idleMs ?? wholeMs(options.idleSeconds),
    }
    const askedBefore = stored && isUndelivered ? [...(stored.askedBefore ?? []), stored.askedAt] : []
    // On record before anybody is told: a restart finds it. Where opencode does not answer, the job runs all the same.
    const saving = store.saveRun(record.session, job, askedBefore).then(
      () => true,
      () => false,
    )
    const isSaved = await within(saveTimeout, saving, () => true)
    if (!isSaved && (await goesOnElsewhere(record))) throw new Error(elsewhere(record))
    if (!troupe.records.get(record.owner, record.id))
      throw new Error(`${record.id} is gone with its owner. Nothing was sent.`)
    troupe.start(job)
    const open = openNeeds(job, troupe.records)
    const words = open.length > 0 ? `starts once these have ended: ${open.join(", ")}` : "started"
    return `Run ${job.run} ${words}; agents_wait returns its result.`
  }

  /** The model that the run before has named to go on with: its session still has the one before. */
  async function nextModel(
    { session, model, attempts = [] }: JobRecord,
    stored: StoredJob | undefined,
  ): Promise<ModelChoice | undefined> {
    const left = attempts.at(-1)
    if (!left || left.session !== undefined) return undefined
    const next = stored?.fallbacks?.find((each) => each.model === model)
    if (!next) return undefined
    const switched = await host.switchModel?.(session, next)
    if (switched?.ok === false)
      throw new Error(
        `opencode did not change the model to ${model}: ${switched.error.message}. Nothing was sent.`,
      )
    return next
  }

  async function goesOnElsewhere({ session }: JobRecord): Promise<boolean> {
    const stored = await store.read(session)
    return stored !== undefined && !store.isOurs(stored.lease) && store.isHeld(stored.lease)
  }

  /** Whether its child has never been asked anything. In doubt it has. */
  async function isUnasked({ startedAt, session }: JobRecord): Promise<boolean> {
    if (startedAt !== undefined) return false
    const messages = await host.messages(session)
    return messages.ok && messages.value.length === 0
  }

  /** What it was to be asked goes first, with the results of its needs: those that ended otherwise it does without. */
  function asAsked({ owner, needs = [] }: JobRecord, { prompt }: StoredJob, message: string) {
    const left = needs.filter((need: Need) => {
      const record = troupe.records.get(owner, need.id)
      return record && (!hasEnded(record) || standingOf(need, endOf(record)) !== "broken")
    })
    return {
      prompt: `${prompt}\n\n${message}`,
      needs: left.length > 0 ? left : undefined,
      isUnasked: true as const,
    }
  }

  return { send, goOn, reach }
}
