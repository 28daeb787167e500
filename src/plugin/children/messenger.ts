import type { JobInput } from "../../machines/events.ts"
import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Host } from "../host/port.ts"
import type { Options } from "../options.ts"
import type { JobStore } from "../records/store.ts"
import { textOf } from "../records/texts.ts"
import type { Turns } from "./turns.ts"

export type MessengerOptions = {
  troupe: Troupe
  host: Host
  turns: Turns
  store: JobStore
  options: Options
  now: () => number
}

/**
 * Hands a job a message, from its owner or from a person: a running one gets it at its next step, an ended one runs
 * again in the same child session.
 */
export type Messenger = {
  /** Returns in words what becomes of the message. @throws Error that says why it could not be sent. */
  send(record: JobRecord, message: string): Promise<string>
}

export function createMessenger({ troupe, host, turns, store, options, now }: MessengerOptions): Messenger {
  async function send(record: JobRecord, message: string): Promise<string> {
    return hasEnded(record) ? followUp(record, message) : tell(record, message)
  }

  async function tell(record: JobRecord, message: string): Promise<string> {
    if (record.state !== "prompting" || record.phase === "stopping") {
      throw new Error(
        `${record.id} is ${record.phase} and cannot be told anything now; send again when it works or has ended. ` +
          "Nothing was sent.",
      )
    }
    const told = await turns.tell(record.session, message, now())
    if (told.outcome === "told") return "It gets the message at its next step."
    if (told.outcome === "refused")
      throw new Error(`opencode did not take the message: ${told.reason}. Nothing was sent.`)
    // Its last answer is there, and its record about to say so.
    return send(await ended(record), message)
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

  async function followUp(record: JobRecord, message: string): Promise<string> {
    if (record.session === "") {
      throw new Error(`${record.id} never had a session to go on in; start a new job. Nothing was sent.`)
    }
    const text = await textOf(host, record)
    const stored = await store.read(record.session)
    const current = troupe.records.get(record.owner, record.id)
    if (!current) throw new Error(`${record.id} is gone with its owner. Nothing was sent.`)
    // Two follow-ups at once: the second finds the job running, or its next run over already.
    if (current.run !== record.run) return send(current, message)
    const job: JobInput = {
      id: record.id,
      owner: record.owner,
      description: record.description,
      prompt: message,
      agent: record.agent,
      model: record.model,
      variant: stored?.variant,
      createdAt: record.createdAt,
      askedAt: now(),
      run: record.run + 1,
      session: record.session,
      earlier: { text: text.kind === "text" ? text.text : undefined, usage: record.usage },
      timeoutMs: stored?.timeoutMs ?? options.timeoutSeconds * 1000,
      idleMs: stored?.idleMs ?? options.idleSeconds * 1000,
    }
    store.saveRun(record.session, job)
    troupe.start(job)
    return `Run ${job.run} started; agents_wait has its result.`
  }

  return { send }
}
