import { randomBytes } from "node:crypto"
import { join } from "node:path"
import * as z from "zod"
import { runningInspectors } from "../src/inspector/discovery/register.ts"
import { JobAnswer, JobViewAnswer, LinkAnswer } from "../src/inspector/http/api.ts"
import { hasEnded, type JobRecord } from "../src/machines/record.ts"
import { poll } from "../test/support/waiters.ts"

/** The plugin's option `inspector.token`, for scripts like this demo. */
export const newToken = () => randomBytes(24).toString("hex")

/** The inspector of an opencode, as a script uses it. */
export class InspectorClient {
  readonly #url: string
  readonly #secret: string
  readonly #token: string

  private constructor(given: { url: string; secret: string; token: string }) {
    this.#url = given.url
    this.#secret = given.secret
    this.#token = given.token
  }

  /** Waits for the inspector of the opencode in this home, which starts with the first job, until `signal` aborts. */
  static async of(home: string, token: string, signal: AbortSignal): Promise<InspectorClient> {
    const folder = join(home, ".local", "state", "opencode-troupe", "inspectors")
    const look = async () => {
      signal.throwIfAborted()
      return (await runningInspectors(folder))[0]
    }
    const { url, secret } = await poll("the inspector", look, { timeoutMs: Number.POSITIVE_INFINITY })
    return new InspectorClient({ url, secret, token })
  }

  /** A one-time link to the page. */
  async link(): Promise<string> {
    const headers = { "x-troupe": "1", "content-type": "application/json" }
    const answer = await this.#ask("/api/link", this.#secret, { method: "POST", headers, body: "{}" })
    return LinkAnswer.parse(await answer.json()).link
  }

  /** Hands over each change of a job, an ended one with its text, until `signal` aborts. */
  async follow(hear: (record: JobRecord) => void, signal: AbortSignal): Promise<void> {
    try {
      const { body } = await this.#ask("/api/stream", this.#token, { signal })
      if (!body) throw new Error("the inspector sends no changes")
      for await (const { jobs } of messagesIn(body)) {
        for (const job of jobs) hear(hasEnded(job) ? await this.#withText(job, signal) : job)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #withText(job: z.infer<typeof JobViewAnswer>, signal: AbortSignal): Promise<JobRecord> {
    const answer = await this.#ask(`/api/jobs/${job.session}`, this.#token, { signal })
    const { text = "" } = JobAnswer.parse(await answer.json())
    return { ...job, text }
  }

  async #ask(path: string, secret: string, init: RequestInit & { headers?: Record<string, string> }) {
    const headers = { ...init.headers, authorization: `Bearer ${secret}` }
    const answer = await fetch(new URL(path, this.#url), { ...init, headers })
    if (!answer.ok) throw new Error(`the inspector refused ${path}: ${await answer.text()}`)
    return answer
  }
}

/** A snapshot or changes; the stream's other messages carry no jobs. */
const Message = z.object({ jobs: z.array(JobViewAnswer).default([]) })

/** The data of each server-sent event. */
async function* messagesIn(body: ReadableStream<Uint8Array>): AsyncGenerator<z.infer<typeof Message>> {
  const decoder = new TextDecoder()
  let rest = ""
  for await (const bytes of body) {
    const events = (rest + decoder.decode(bytes, { stream: true })).split("\n\n")
    rest = events.pop() ?? ""
    for (const event of events) yield Message.parse(JSON.parse(event.slice(event.indexOf("\ndata: ") + 7)))
  }
}
