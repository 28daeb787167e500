import type { Attempt, EndedState, JobError, JobPhase, JobState, Need, Usage } from "../../machines/record.ts"
import { commandPrefix, type Standing } from "../contract.ts"
import type { Counts, Glance } from "../glance.ts"
import type { Ask, Items, Overview, ShownJob, Spending } from "../jobs.ts"

/*
 * Jobs as another part wrote them, of this version or another one. Checked by hand: the schema of records would make
 * this part ten times as large.
 */

export type StoredRecord = Omit<ShownJob, "session">

/**
 * The job in a child's metadata; nothing where there is none, or it goes on in another session, or is damaged, of which
 * the server part tells.
 */
export function storedRecord(metadata: unknown): StoredRecord | undefined {
  const { record, movedTo } = fieldsOf(fieldsOf(metadata).troupe)
  return movedTo === undefined ? recordIn(record) : undefined
}

/** A run as it was asked, and when those were whose results go with its own. Epoch milliseconds. */
export type AskedRun = { prompt: string; askedAt: number | undefined; askedBefore: readonly number[] }

/** The last one. */
export function storedRun(metadata: unknown): AskedRun {
  const { prompt, askedAt, askedBefore } = fieldsOf(fieldsOf(metadata).troupe)
  return {
    prompt: isText(prompt) ? prompt : "",
    askedAt: isTime(askedAt) ? askedAt : undefined,
    askedBefore: Array.isArray(askedBefore) ? askedBefore.filter(isTime) : [],
  }
}

/**
 * Those that the server part of opencode 2 tells of; what is unknown here is left out.
 * @throws Error where it tells of none
 */
export function toldJobs(answer: unknown): ShownJob[] {
  const { jobs } = fieldsOf(answer)
  if (!Array.isArray(jobs))
    throw new Error("opencode-troupe's server part is of another version than its terminal's.")
  return jobs.flatMap((job) => toldJob(job) ?? [])
}

/** The same with their budgets. */
export function toldOverview(answer: unknown): Overview {
  return { jobs: toldJobs(answer), budgets: toldBudgets(fieldsOf(answer).budgets) }
}

/** The same of the most urgent ones, with how many there are. */
export function toldGlance(answer: unknown): Glance {
  const { counts } = fieldsOf(answer)
  const count = (name: keyof Counts) => {
    const told = fieldsOf(counts)[name]
    return isNumber(told) ? told : 0
  }
  return {
    counts: {
      asking: count("asking"),
      running: count("running"),
      queued: count("queued"),
      held: count("held"),
      blocked: count("blocked"),
      done: count("done"),
      failed: count("failed"),
      cancelled: count("cancelled"),
    },
    ...toldOverview(answer),
  }
}

/** What 1.18's server part has said of an owner's jobs; nothing where this is no such command. */
export function toldStanding(command: unknown): Standing | undefined {
  if (!isText(command) || !command.startsWith(commandPrefix)) return undefined
  const { tell, owner, budgets, holds } = fieldsOf(parsed(command.slice(commandPrefix.length)))
  if (tell !== "standing" || !isText(owner)) return undefined
  const until = Object.entries(fieldsOf(holds)).flatMap(([session, at]) =>
    isNumber(at) ? [[session, at]] : [],
  )
  return { owner, budgets: toldBudgets(budgets), holds: Object.fromEntries(until) }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

const toldBudgets = (given: unknown): Spending[] =>
  Array.isArray(given) ? given.flatMap((each) => toldBudget(each) ?? []) : []

function toldBudget(given: unknown): Spending | undefined {
  const { of, name, limit, spent, isSpent } = fieldsOf(given)
  if ((of !== "batch" && of !== "owner") || !isText(name)) return undefined
  const { tokens, cost } = fieldsOf(limit)
  const limits = { ...(isNumber(tokens) && { tokens }), ...(isNumber(cost) && { cost }) }
  const { tokens: spentTokens, cost: spentCost } = fieldsOf(spent)
  if (!isNumber(spentTokens) || !isNumber(spentCost) || Object.keys(limits).length === 0) return undefined
  return {
    of,
    name,
    limit: limits,
    spent: { tokens: spentTokens, cost: spentCost },
    isSpent: isSpent === true,
  }
}

function toldJob(job: unknown): ShownJob | undefined {
  const record = recordIn(job)
  const { session, phase, waitingSince, before, waitsFor, items, holdUntil, activity, asks, retry } =
    fieldsOf(job)
  if (!record || !isText(session)) return undefined
  return {
    ...record,
    session,
    ...(isPhase(phase) && { phase }),
    ...(isNumber(waitingSince) && { waitingSince }),
    ...(isNumber(before) && { before }),
    ...(Array.isArray(waitsFor) && { waitsFor: waitsFor.filter(isText) }),
    ...(isItems(items) && { items }),
    ...(isNumber(holdUntil) && { holdUntil }),
    ...(isActivity(activity) && { activity }),
    ...(Array.isArray(asks) && asks.some(isAsk) && { asks: asks.filter(isAsk) }),
    ...(isRetry(retry) && { retry }),
  }
}

function recordIn(given: unknown): StoredRecord | undefined {
  const {
    id,
    owner,
    description,
    agent,
    model,
    batch,
    state,
    run,
    createdAt,
    error,
    isGroup,
    formerItems,
    needs,
    attempts,
    usage,
    ...times
  } = fieldsOf(given)
  if (!isText(id) || !jobId.test(id)) return undefined
  if (!isText(owner) || !isText(description) || !isText(agent)) return undefined
  if (!isState(state) || !isNumber(run) || !isNumber(createdAt)) return undefined
  const { startedAt, endedAt, deadlineAt, waitedMs } = times
  if (isEnd[state] && !isNumber(endedAt)) return undefined
  return {
    id,
    owner,
    description,
    agent,
    ...(isText(model) && { model }),
    ...(isText(batch) && { batch }),
    state,
    run,
    createdAt,
    ...(isNumber(startedAt) && { startedAt }),
    ...(isNumber(endedAt) && { endedAt }),
    ...(isNumber(deadlineAt) && { deadlineAt }),
    ...(isNumber(waitedMs) && { waitedMs }),
    ...(isError(error) && { error }),
    ...(isGroup === true && { isGroup }),
    ...(Array.isArray(formerItems) && { formerItems: formerItems.filter(isText) }),
    ...(Array.isArray(needs) && needs.some(isNeed) && { needs: needs.filter(isNeed) }),
    ...(Array.isArray(attempts) && attempts.some(isAttempt) && { attempts: attempts.filter(isAttempt) }),
    usage: isUsage(usage) ? usage : unknownUsage,
  }
}

/** `JOB_ID` of the machines. */
const jobId = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})
const isText = (value: unknown): value is string => typeof value === "string"
const isNumber = (value: unknown): value is number => Number.isFinite(value)
/** Of which an id can be made. */
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0
const isTextOrNone = (value: unknown) => value === undefined || isText(value)

const isEnd: { [State in JobState]: State extends EndedState ? true : false } = {
  created: false,
  prompting: false,
  done: true,
  failed: true,
  timedOut: true,
  cancelled: true,
}
const isState = (value: unknown): value is JobState => isText(value) && Object.hasOwn(isEnd, value)

const phases: Record<JobPhase, true> = {
  opening: true,
  blocked: true,
  queued: true,
  working: true,
  retrying: true,
  permission: true,
  question: true,
  checking: true,
  stopping: true,
}
const isPhase = (value: unknown): value is JobPhase => isText(value) && Object.hasOwn(phases, value)

const isError = (value: unknown): value is JobError =>
  isText(fieldsOf(value).kind) && isText(fieldsOf(value).message)

function isNeed(value: unknown): value is Need {
  const { id, on } = fieldsOf(value)
  return isText(id) && jobId.test(id) && (on === "done" || on === "ended")
}

function isAttempt(value: unknown): value is Attempt {
  const { model, error } = fieldsOf(value)
  return isTextOrNone(model) && isError(error)
}

function isItems(value: unknown): value is Items {
  const { all, done, failed, cancelled } = fieldsOf(value)
  return [all, done, failed, cancelled].every(isNumber)
}

function isActivity(value: unknown): value is NonNullable<ShownJob["activity"]> {
  const { tool, text, at } = fieldsOf(value)
  return isTextOrNone(tool) && isTextOrNone(text) && isNumber(at)
}

function isAsk(value: unknown): value is Ask {
  const { id, kind, text, session } = fieldsOf(value)
  return isText(id) && (kind === "permission" || kind === "question") && isText(text) && isTextOrNone(session)
}

function isRetry(value: unknown): value is NonNullable<ShownJob["retry"]> {
  const { attempt, reason, next } = fieldsOf(value)
  return isNumber(attempt) && isText(reason) && isNumber(next)
}

const unknownUsage: Usage = { input: 0, output: 0, reasoning: 0, cacheRead: 0, cacheWrite: 0, cost: 0 }
const isUsage = (value: unknown): value is Usage =>
  Object.keys(unknownUsage).every((name) => isNumber(fieldsOf(value)[name]))
