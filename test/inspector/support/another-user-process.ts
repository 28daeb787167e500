import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import { connect } from "node:net"
import { dirname } from "node:path"
import { ask } from "./ask.ts"

/** Runs by itself, as another user: does what it is told to, and says what came of it. */

const heard: string[] = []
let server: Server | undefined

const attacks = {
  /** Files and folders. */
  read: (...paths: string[]) => Promise.all(paths.map((path) => outcome(() => contentOf(path)))),

  remove: (...paths: string[]) => Promise.all(paths.map((path) => outcome(() => rm(path)))),

  /** With the folders on the way, which stay open to everybody. */
  write: async (path: string, text: string) => [
    await outcome(async () => {
      if ((await mkdir(dirname(path), { recursive: true })) !== undefined) await chmod(dirname(path), 0o777)
      await writeFile(path, text, { mode: 0o600 })
    }),
  ],

  link: async (target: string, path: string) => [await outcome(() => symlink(target, path))],

  /** The arguments and the environment of each process, where they can be read. */
  watch: async () => {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name))
    const files = pids.flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
    return Promise.all(files.map((file) => outcome(() => readFile(file, "utf8"))))
  },

  /** Processes, and the group that one leads. */
  signal: (pid: string) =>
    Promise.all(
      [Number(pid), -Number(pid)].map((each) => outcome(async () => void process.kill(each, "SIGSTOP"))),
    ),

  /** The status and the text of the answer. */
  ask: async (url: string, method: string, authorization: string, body: string) => {
    const { origin, pathname, search } = new URL(url)
    const { status, text } = await ask(origin, pathname + search, {
      method,
      headers: {
        ...(method === "POST" && { "x-troupe": "1", "content-type": "application/json" }),
        ...(authorization && { authorization }),
      },
      ...(method === "POST" && { body }),
    })
    return [`${status} ${text}`]
  },

  /** Answers whatever is asked as an inspector would, with a proof that it has heard elsewhere. */
  listen: async (port: string, proof: string) => [
    await outcome(async () => {
      server = createServer((request, response) => {
        const { method, url = "", headers } = request
        heard.push([method, url.split("?")[0], headers.authorization ?? ""].join(" ").trim())
        const link = `http://${headers.host}/#link=${"x".repeat(22)}`
        response.setHeader("content-type", "application/json").end(JSON.stringify({ proof, link }))
      })
      await new Promise<void>((resolve, reject) =>
        server?.once("error", reject).listen(Number(port), "127.0.0.1", resolve),
      )
      const address = server.address()
      return typeof address === "object" ? `http://127.0.0.1:${address?.port}` : ""
    }),
  ],

  heard: async () => heard.splice(0),

  /** Stays connected with all of these until the other side has had enough, and with halves of heads for good. */
  stall: async (url: string) => {
    const { port, host } = new URL(url)
    const post = "X-Troupe: 1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    const kinds = [
      `POST /api/access HTTP/1.1\r\nHost: ${host}\r\n${post}`,
      `POST /api/jobs/x/send HTTP/1.1\r\nHost: ${host}\r\n${post}`,
      `GET /api/stream HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    ]
    const send = (bytes: string) =>
      new Promise<void>((resolve) => {
        const socket = connect(Number(port), "127.0.0.1", () => socket.write(bytes))
        socket.on("error", () => {}).once("close", () => resolve())
        socket.resume()
      })
    const each = Array.from({ length: 30 })
    for (const _ of each) void send(`GET / HTTP/1.1\r\nHost: ${host}\r\n`)
    await Promise.all(kinds.flatMap((bytes) => each.map(() => send(bytes))))
    return []
  },
}

export type Attack = keyof typeof attacks

async function contentOf(path: string): Promise<string> {
  return readFile(path, "utf8").catch(async (error) => {
    if (error.code !== "EISDIR") throw error
    return (await readdir(path)).join(" ")
  })
}

/** What was to be had, `done` where it is nothing, or the code of the error. */
async function outcome(attempt: () => Promise<unknown>): Promise<string> {
  try {
    return String((await attempt()) ?? "done")
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error)
  }
}

const byName = new Map<string, (...words: string[]) => Promise<string[]>>(Object.entries(attacks))

process.on("message", async (message) => {
  const [id, name = "", ...words] = Array.isArray(message) ? message.map(String) : []
  const came =
    (await byName
      .get(name)?.(...words)
      .catch((error) => [String(error)])) ?? []
  process.send?.({ id: Number(id), came })
})
// It ends with the test.
process.once("disconnect", () => process.exit())
