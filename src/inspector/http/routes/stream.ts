import type { HttpBindings } from "@hono/node-server"
import { Hono } from "hono"
import type { Feed, FeedMessage } from "../../feed/feed.ts"
import { ApiError } from "../api-error.ts"

/** Most streams at a time, more than a person has tabs: each makes its own copy of all jobs when it begins. */
const most = 16

const type = "text/event-stream"

export function streamRoutes(feed: Feed): Hono<{ Bindings: HttpBindings }> {
  let open = 0
  return new Hono<{ Bindings: HttpBindings }>().get("/", (c) => {
    const resumed = resumeFrom(c.req.header("last-event-id"))
    if (c.req.method === "HEAD") return c.body(null, 200, { "content-type": type })
    if (open >= most)
      throw new ApiError(
        503,
        "streams",
        `${most} streams are open, the most there can be. Close another tab.`,
      )
    open++
    const left = new AbortController()
    left.signal.addEventListener("abort", () => open--)
    // A streamed response does not tell that its client has left; the socket does, in Node and in Bun.
    c.env.incoming.socket.once("close", () => left.abort())
    const messages = feed.follow(resumed, left.signal)
    return c.body(pulled(messages, left), 200, { "content-type": type })
  })
}

/** Makes the next message only once the client has taken the last one: this is the backpressure. */
function pulled(
  messages: AsyncGenerator<FeedMessage, void>,
  left: AbortController,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream(
    {
      async pull(controller) {
        const { value, done } = await messages.next()
        if (done) controller.close()
        else controller.enqueue(encoder.encode(frameOf(value)))
      },
      async cancel() {
        left.abort()
        await messages.return()
      },
    },
    { highWaterMark: 0 },
  )
}

function frameOf({ event, id, data }: FeedMessage): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`
}

function resumeFrom(header: string | undefined): number | undefined {
  if (header === undefined || header === "") return undefined
  if (!/^\d{1,16}$/.test(header))
    throw new ApiError(400, "last-event-id", "Last-Event-ID must be the id of an event of this stream.")
  return Number(header)
}
