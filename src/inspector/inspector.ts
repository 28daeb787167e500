import { getRequestListener } from "@hono/node-server"
import { Access } from "./access/access.ts"
import { inspectCommand } from "./discovery/command.ts"
import { Registration } from "./discovery/register.ts"
import { Feed } from "./feed/feed.ts"
import { createApp } from "./http/app.ts"
import { type PageFiles, readPageFiles } from "./http/page-files.ts"
import { bounded, boundedServer, type Limits, listen } from "./http/server.ts"
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
  limits?: Limits
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
  const { port = 0, host = "127.0.0.1", readOnly = false, token } = options
  const page = start.page ?? (await readPageFiles())

  const server = boundedServer(start.limits)
  const listening = await listen(server, port, host)
  const url = `http://${listening}`

  const sources = new Sources()
  sources.add(source)
  const feed = new Feed(sources, { now, readOnly })
  const totals = new Totals(sources)
  const access = new Access(token, now)
  // In the fragment, which browsers send to nobody: only the page reads it.
  const link = () => `${url}/#link=${access.createLink()}`
  const app = createApp({
    sources,
    feed,
    totals,
    page,
    access,
    host: listening,
    readOnly,
    link,
    command: inspectCommand,
    reportError,
  })
  // Otherwise the adapter would replace opencode's global Request and Response.
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  const listener = bounded(answer, start.limits)
  server.on("request", listener)
  // By themselves, Node and Bun would refuse what is expected, and leave the connection open.
  server.on("checkExpectation", listener)

  const registration =
    start.registerFolder === false
      ? undefined
      : await Registration.write(
          { url, secret: access.linkSecret, pid: process.pid, startedAt: now(), project: source.name },
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
