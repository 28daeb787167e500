import { type IncomingMessage, request } from "node:http"
import { Watched } from "../../support/waiters.ts"

export type Frame = {
  event: string
  id: string
  data: {
    jobs?: { id: string; state: string }[]
    gone?: string[]
    owners?: Record<string, string>
    budgets?: object[]
  }
}

export type Listener = {
  frames: Watched<Frame>
  response: IncomingMessage
  close(): void
  closed: Promise<void>
}

/** Reads a stream over a socket of its own. */
export function listen(url: string, headers: Record<string, string>): Promise<Listener> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path: "/api/stream", headers, agent: false }, (response) => {
      const frames = new Watched<Frame>("frame")
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        text += chunk
        const parts = text.split("\n\n")
        text = parts.pop() ?? ""
        for (const part of parts) frames.add(parse(part))
      })
      response.on("error", () => {})
      const closed = new Promise<void>((done) => response.once("close", done))
      resolve({ frames, response, close: () => asked.destroy(), closed })
    })
    asked.on("error", reject)
    asked.end()
  })
}

function parse(part: string): Frame {
  const field = (name: string) => part.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1] ?? ""
  return { event: field("event"), id: field("id"), data: JSON.parse(field("data")) }
}
