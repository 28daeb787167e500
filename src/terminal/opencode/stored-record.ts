import type { JobError, JobState, Usage } from "../../machines/record.ts"
import type { ShownJob } from "../jobs.ts"

export type StoredRecord = Omit<ShownJob, "session">

/**
 * The job in a child's metadata; nothing where there is none, or it is damaged, of which the server part tells. Checked
 * by hand: the schema of records would make this part ten times as large.
 */
export function storedRecord(metadata: unknown): StoredRecord | undefined {
  const { id, owner, description, agent, model, batch, state, run, createdAt, error, usage, ...times } =
    fieldsOf(fieldsOf(fieldsOf(metadata).troupe).record)
  if (!isText(id) || !isText(owner) || !isText(description) || !isText(agent)) return undefined
  if (!isState(state) || !isNumber(run) || !isNumber(createdAt)) return undefined
  const { startedAt, endedAt, deadlineAt, waitedMs } = times
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
    usage: isUsage(usage) ? usage : unknownUsage,
  }
}

/** The prompt of its last run. */
export function storedPrompt(metadata: unknown): string | undefined {
  const { prompt } = fieldsOf(fieldsOf(metadata).troupe)
  return isText(prompt) ? prompt : undefined
}

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})
const isText = (value: unknown): value is string => typeof value === "string"
const isNumber = (value: unknown): value is number => Number.isFinite(value)

const states: Record<JobState, true> = {
  created: true,
  prompting: true,
  done: true,
  failed: true,
  timedOut: true,
  cancelled: true,
}
const isState = (value: unknown): value is JobState => isText(value) && Object.hasOwn(states, value)

const isError = (value: unknown): value is JobError =>
  isText(fieldsOf(value).kind) && isText(fieldsOf(value).message)

const unknownUsage: Usage = { input: 0, output: 0, reasoning: 0, cacheRead: 0, cacheWrite: 0, cost: 0 }
const isUsage = (value: unknown): value is Usage =>
  Object.keys(unknownUsage).every((name) => isNumber(fieldsOf(value)[name]))
