import type { ServerResponse } from "node:http"
import { setTimeout as after } from "node:timers/promises"

/** What the scripted model answers to one request. Anything but `text` and `tool` is a model that misbehaves. */
export type Reply =
  /** The answer in `chunks` pieces (1), with a pause of `delayMs` (0) before each. `length`: it is cut off there. */
  | {
      type: "text"
      text: string
      delayMs?: number
      chunks?: number
      tokens?: Tokens
      finish?: "stop" | "length"
    }
  /** Tool calls, all in one message. `id` is the call's `callID` in opencode; one is made up without it. */
  | {
      type: "tool"
      calls: { name: string; args: object; id?: string }[]
      /** What the model thinks first. */
      reasoning?: string
      text?: string
      tokens?: Tokens
    }
  /** An HTTP error: opencode retries 429 and 5xx by itself, and fails at once on the other 4xx. */
  | { type: "error"; status: number; body?: string | object; headers?: Record<string, string> }
  /** `text` at once, then nothing until the test resolves `until` with the rest; a rejection drops the stream. */
  | { type: "hold"; reasoning?: string; text?: string; until: Promise<string> }
  /** The connection breaks after `text`. */
  | { type: "drop"; text?: string }
  /** Headers, then nothing until the client leaves. */
  | { type: "silent" }
  /** A stream that is not one. */
  | { type: "garbage" }

/** What the answer is said to have used. */
export type Tokens = { input: number; output: number }

export const ok: Reply = { type: "text", text: "ok" }

/**
 * Writes `reply` as an OpenAI chat-completions stream. Returns when there is no more to say or no one to hear it,
 * or with `drop` when the connection is to be broken.
 */
export async function writeReply(
  response: ServerResponse,
  model: string,
  reply: Reply,
): Promise<"over" | "drop"> {
  if (reply.type === "error") {
    writeError(response, reply)
    return "over"
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
  response.flushHeaders()
  const stream = new CompletionStream(response, model)
  switch (reply.type) {
    case "text":
      for (const piece of split(reply.text, reply.chunks ?? 1)) {
        if (reply.delayMs) await Promise.race([after(reply.delayMs), stream.gone])
        await stream.text(piece)
      }
      await stream.end(reply.finish ?? "stop", reply.tokens)
      return "over"
    case "tool":
      if (reply.reasoning) await stream.delta({ reasoning_content: reply.reasoning })
      if (reply.text) await stream.text(reply.text)
      await stream.delta({
        tool_calls: reply.calls.map(({ name, args, id }, index) => ({
          index,
          id: id ?? newCallId(),
          type: "function",
          function: { name, arguments: JSON.stringify(args) },
        })),
      })
      await stream.end("tool_calls", reply.tokens)
      return "over"
    case "hold": {
      if (reply.reasoning) await stream.delta({ reasoning_content: reply.reasoning })
      if (reply.text) await stream.text(reply.text)
      const released = reply.until.then(
        (rest) => ({ rest }),
        () => "drop" as const,
      )
      const outcome = await Promise.race([released, stream.gone])
      if (outcome === "drop") return "drop"
      if (outcome === "gone") return "over"
      await stream.text(outcome.rest)
      await stream.end("stop")
      return "over"
    }
    case "drop":
      await stream.text(reply.text ?? "")
      return "drop"
    case "silent":
      await stream.gone
      return "over"
    case "garbage":
      response.end("data: {not json\n\ndata: \u0000\ufffd]]\n\n")
      return "over"
  }
}

class CompletionStream {
  /** Resolves when the connection is over, by whichever side. */
  readonly gone: Promise<"gone">
  readonly #response: ServerResponse
  readonly #model: string

  constructor(response: ServerResponse, model: string) {
    this.#response = response
    this.#model = model
    this.gone = new Promise((resolve) => response.once("close", () => resolve("gone")))
  }

  text(content: string): Promise<void> {
    return this.delta({ content })
  }

  delta(delta: object): Promise<void> {
    return this.#write({
      choices: [{ index: 0, delta: { role: "assistant", ...delta }, finish_reason: null }],
    })
  }

  /** The usage is small unless named, so that no answer makes opencode compact the conversation. */
  async end(
    finishReason: "stop" | "length" | "tool_calls",
    { input, output }: Tokens = { input: 10, output: 5 },
  ): Promise<void> {
    await this.#write({
      choices: [{ index: 0, delta: {}, finish_reason: finishReason }],
      usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
    })
    this.#response.end("data: [DONE]\n\n")
  }

  async #write(fields: object): Promise<void> {
    if (this.#response.destroyed) return
    const chunk = {
      id: "chatcmpl-scripted",
      object: "chat.completion.chunk",
      created: 0,
      model: this.#model,
      ...fields,
    }
    const flushed = new Promise<void>((resolve) => {
      this.#response.write(`data: ${JSON.stringify(chunk)}\n\n`, () => resolve())
    })
    await Promise.race([flushed, this.gone])
  }
}

function writeError(
  response: ServerResponse,
  { status, body, headers }: Extract<Reply, { type: "error" }>,
): void {
  const said = body ?? { error: { message: `scripted ${status}`, type: "scripted", code: String(status) } }
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(typeof said === "string" ? said : JSON.stringify(said))
}

function split(text: string, pieces: number): string[] {
  const size = Math.max(1, Math.ceil(text.length / pieces))
  return Array.from({ length: Math.max(1, Math.ceil(text.length / size)) }, (_, at) =>
    text.slice(at * size, (at + 1) * size),
  )
}

let callsMade = 0

export function newCallId(): string {
  callsMade += 1
  return `call_${process.pid}_${callsMade}`
}
