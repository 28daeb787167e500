import { connect, type Socket } from "node:net"
import { setTimeout as after } from "node:timers/promises"
import { startInspector } from "../src/inspector/index.ts"
import { changingTroupe } from "./inspector-troupe.ts"

/**
 * Runs by itself, in Node (with --expose-gc) or Bun. Prints as JSON what clients that ask for the stream and never
 * read it make the process grow by, each: 10,000 jobs, 200 changes a second.
 */

const clients = 50
const churnMs = 8_000
const token = "a-token-of-thirty-two-characters-or-more"

declare const Bun: { gc(force: boolean): void } | undefined
const collect = () => (typeof Bun === "undefined" ? globalThis.gc?.() : Bun.gc(true))

async function settledSize(): Promise<number> {
  for (let turn = 0; turn < 5; turn++) {
    collect()
    await after(50)
  }
  return process.memoryUsage().rss
}

const { source, churn } = changingTroupe(10_000)
const page = { html: "", js: "", css: "", machines: new Map() }
const inspector = await startInspector({ source, options: { token }, page, registerFolder: false })

const stalled = (): Promise<Socket> =>
  new Promise((resolve) => {
    const { hostname, port, host } = new URL(inspector.url)
    const socket = connect(Number(port), hostname, () => {
      socket.pause()
      socket.write(`GET /api/stream HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n\r\n`)
      resolve(socket)
    })
  })

// What any client makes the runtime load and grow is paid before it is measured.
const first = await stalled()
await churn(churnMs / 2)
first.destroy()
await churn(500)
const before = await settledSize()

const sockets = await Promise.all(Array.from({ length: clients }, stalled))
await churn(churnMs)
const grown = (await settledSize()) - before

for (const socket of sockets) socket.destroy()
await inspector.stop()
process.stdout.write(JSON.stringify({ bytesPerClient: Math.max(0, Math.round(grown / clients)) }))
process.exit(0)
