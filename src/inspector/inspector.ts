import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { getRequestListener } from "@hono/node-server"
import { Links } from "./access/links.ts"
import { derive, newSecret } from "./access/secrets.ts"
import { inspectCommand } from "./discovery/command.ts"
import { Registration } from "./discovery/register.ts"
import { PortTakenError } from "./errors.ts"
import { Feed } from "./feed/feed.ts"
import { createApp } from "./http/app.ts"
import { type PageFiles, readPageFiles } from "./http/page-files.ts"
import { Totals } from "./metrics/totals.ts"
import { checkOptions, type InspectorOptions } from "./options.ts"
import { type Source, Sources } from "./source.ts"

export type StartOptions = {
  /** The first project; `add` takes further ones. */
  source: Source
  options?: InspectorOptions
  /** Epoch milliseconds. Default: `Date.now`. */
  now?: () => number
  /** Default: what `readPageFiles` finds in the package. */
  page?: PageFiles
  /** Where the command line finds running inspectors. Default: under XDG_STATE_HOME; false: nowhere. */
  registerFolder?: string | false
  /** Called with defects of the inspector. Default: they are ignored. */
  reportError?: (error: unknown) => void
}

export type Inspector = {
  /** Where it listens, such as `http://127.0.0.1:41234`. Of no use without a link or the token. */
  readonly url: string
  /** What a person runs in a terminal for a fresh link. */
  readonly command: string
  /** A fresh one-time link to the page, valid for ten minutes. */
  link(): string
  /** Shows another project of this process. Returns a function that removes it. */
  add(source: Source): () => void
  /** Closes every connection. */
  stop(): Promise<void>
}

/**
 * Starts the inspector of this process.
 * @throws {PortTakenError | AccessRefusedError} The jobs run on without it.
 */
export async function startInspector(start: StartOptions): Promise<Inspector> {
  const { source, options = {}, now = Date.now, reportError = () => {} } = start
  checkOptions(options)
  const { port = 0, host = "127.0.0.1", readOnly = false, token = newSecret() } = options
  const page = start.page ?? (await readPageFiles())

  const server = createServer()
  const listening = await listen(server, port, host)
  const hosts = [...new Set([listening.host, `localhost:${listening.port}`])]
  const url = `http://${listening.host}`

  const sources = new Sources()
  sources.add(source)
  const feed = new Feed(sources, { now, readOnly })
  const totals = new Totals(sources)
  const links = new Links(now)
  const link = () => `${url}/?link=${links.create()}`
  const linkSecret = newSecret()
  const cookie = { name: `troupe-${listening.port}`, value: derive(token, "cookie") }
  const access = { links, token, cookie }
  const app = createApp({
    sources,
    feed,
    totals,
    page,
    access,
    hosts,
    readOnly,
    linkSecret,
    link,
    command: inspectCommand,
    reportError,
  })

  // Otherwise the adapter would replace opencode's global Request and Response.
  server.on("request", getRequestListener(app.fetch, { overrideGlobalObjects: false }))
  const registration =
    start.registerFolder === false
      ? undefined
      : await Registration.write(
          { url, secret: linkSecret, pid: process.pid, startedAt: now(), project: source.name },
          start.registerFolder,
        ).catch(reportError)

  return {
    url,
    command: inspectCommand,
    link,
    add: (further) => sources.add(further),
    stop: async () => {
      feed.stop()
      totals.stop()
      await registration?.remove().catch(reportError)
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

type Listening = { host: string; port: number }

function listen(server: ReturnType<typeof createServer>, port: number, host: string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" || error.code === "EACCES" ? new PortTakenError(port) : error),
    )
    server.listen(port, host, () => {
      // The inspector must not keep opencode alive.
      server.unref()
      const address = server.address() as AddressInfo
      const name = address.family === "IPv6" ? `[${address.address}]` : address.address
      resolve({ host: `${name}:${address.port}`, port: address.port })
    })
  })
}
