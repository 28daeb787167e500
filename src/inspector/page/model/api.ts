import type {
  ActorAnswer,
  AnswerBody,
  CancelledAnswer,
  ErrorAnswer,
  FilesAnswer,
  JobAnswer,
  MachineAnswer,
  MessagesAnswer,
  PhasesAnswer,
} from "../../http/api.ts"
import { ask } from "./access.ts"

/** A refusal by the server, in its words. */
export class Refused extends Error {
  readonly kind: string

  constructor({ kind, message }: ErrorAnswer["error"]) {
    super(message)
    this.kind = kind
  }
}

export const loadJob = (address: string) => get<JobAnswer>(`/api/jobs/${encodeURIComponent(address)}`)
export const loadPhases = () => get<PhasesAnswer>("/api/phases")
export const loadActors = () => get<ActorAnswer>("/api/actors")
export const loadMachine = (name: string) => get<MachineAnswer>(`/api/machines/${name}`)

/** @param after the id of a message that is known: the answer begins with it */
export const loadMessages = (address: string, after: string | undefined, signal: AbortSignal) =>
  get<MessagesAnswer>(
    `/api/jobs/${encodeURIComponent(address)}/messages${after === undefined ? "" : `?${new URLSearchParams({ after })}`}`,
    signal,
  )

export const loadFiles = (address: string) =>
  get<FilesAnswer>(`/api/jobs/${encodeURIComponent(address)}/files`)

export const cancelJob = (address: string, reason: string) =>
  post(`/api/jobs/${encodeURIComponent(address)}/cancel`, reasonOf(reason))
/** All jobs of an owner that run, or those of one batch. Resolves with their number. */
export const cancelAll = async (owner: string, batch: string | undefined, reason: string) => {
  const body = { owner, ...(batch !== undefined && { batch }), ...reasonOf(reason) }
  const answer = (await (await post("/api/cancel", body)).json()) as CancelledAnswer
  return answer.cancelled
}

/** Wherever it is read, it says who has cancelled the job. */
const reasonOf = (reason: string) =>
  reason === "" ? {} : { reason: `cancelled in the inspector: ${reason}` }

export const sendTo = (address: string, message: string) =>
  post(`/api/jobs/${encodeURIComponent(address)}/send`, { message })

/** Without the request that it answers. */
export type Reply = AnswerBody extends infer Body ? (Body extends unknown ? Omit<Body, "ask"> : never) : never
export const reply = (address: string, answer: { ask: string } & Reply) =>
  post(`/api/jobs/${encodeURIComponent(address)}/answer`, answer)

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await ask(path, signal && { signal })
  await refuseIfBad(response)
  return (await response.json()) as T
}

async function post(path: string, body: object): Promise<Response> {
  const headers = { "content-type": "application/json", "x-troupe": "1" }
  const response = await ask(path, { method: "POST", headers, body: JSON.stringify(body) })
  await refuseIfBad(response)
  return response
}

async function refuseIfBad(response: Response): Promise<void> {
  if (response.ok) return
  const { error } = (await response.json()) as ErrorAnswer
  throw new Refused(error)
}
