import type { ActorAnswer, JobAnswer, MachineAnswer } from "../../http/api.ts"
import { ask } from "./access.ts"

/** A refusal by the server, in its words. */
export class Refused extends Error {}

export const loadJob = (address: string) => get<JobAnswer>(`/api/jobs/${encodeURIComponent(address)}`)
export const loadActors = () => get<ActorAnswer>("/api/actors")
export const loadMachine = (name: string) => get<MachineAnswer>(`/api/machines/${name}`)

export const cancelJob = (address: string, reason: string) =>
  post(`/api/jobs/${encodeURIComponent(address)}/cancel`, reason === "" ? {} : { reason })
export const sendTo = (address: string, message: string) =>
  post(`/api/jobs/${encodeURIComponent(address)}/send`, { message })

async function get<T>(path: string): Promise<T> {
  const response = await ask(path)
  await refuseIfBad(response)
  return (await response.json()) as T
}

async function post(path: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json", "x-troupe": "1" }
  await refuseIfBad(await ask(path, { method: "POST", headers, body: JSON.stringify(body) }))
}

async function refuseIfBad(response: Response): Promise<void> {
  if (response.ok) return
  const { error } = (await response.json()) as { error: { message: string } }
  throw new Refused(error.message)
}
