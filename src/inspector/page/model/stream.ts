import { ask } from "./access.ts"

/** A server-sent event. */
export type StreamEvent = { event: string; data: string }

/**
 * Reads server-sent events with fetch. Unlike EventSource, it can tell a refusal from a broken connection, and resumes
 * even after the page itself closed the stream.
 */
export class Stream {
  #lastId = ""

  /** Ends with the connection; throws when that is refused or breaks. */
  async *read(signal: AbortSignal): AsyncGenerator<StreamEvent, void> {
    const headers = this.#lastId === "" ? undefined : { "last-event-id": this.#lastId }
    const response = await ask("/api/stream", { signal, ...(headers && { headers }) })
    if (!response.ok || !response.body) throw new Error(`the inspector answered ${response.status}`)
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let parts: string[] = []
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      // A long event arrives in many pieces: only the last one can complete it.
      if (!value.includes("\n\n") && !(value.startsWith("\n") && parts.at(-1)?.endsWith("\n"))) {
        parts.push(value)
        continue
      }
      const frames = (parts.join("") + value).split("\n\n")
      parts = [frames.pop() ?? ""]
      for (const frame of frames) yield this.#parse(frame)
    }
  }

  #parse(frame: string): StreamEvent {
    const fields = new Map(
      frame.split("\n").map((line): [string, string] => {
        const colon = line.indexOf(": ")
        return [line.slice(0, colon), line.slice(colon + 2)]
      }),
    )
    this.#lastId = fields.get("id") ?? this.#lastId
    return { event: fields.get("event") ?? "", data: fields.get("data") ?? "{}" }
  }
}
