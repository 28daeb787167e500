import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { PortTakenError } from "../errors.ts"

export type Limits = {
  /** How long a request may take to arrive, body included, and an answer to be taken. Milliseconds. Default: 10,000. */
  arrivalMs?: number
  /** Most connections; each takes one of opencode's file descriptors. Default: 128. */
  connections?: number
}

/** Browsers send the cookies of all ports of this machine along: they must not shut anybody out. Bytes. */
const maxHeaderSize = 1024 * 1024
/** Those that the routes know. Of others a `Request` cannot always be made. */
const methods = new Set(["GET", "HEAD", "POST"])

const defaults: Required<Limits> = { arrivalMs: 10_000, connections: 128 }

/** An HTTP server that lets go of whoever does not come to the point. */
export function boundedServer(given: Limits = {}): Server {
  const { arrivalMs, connections } = { ...defaults, ...given }
  const server = createServer({
    maxHeaderSize,
    headersTimeout: arrivalMs,
    requestTimeout: arrivalMs,
    // Node looks for those that are late no more often than this.
    connectionsCheckingInterval: arrivalMs,
  })
  server.maxConnections = connections
  // Without a listener, Bun leaves the connection open for good.
  server.on("upgrade", (_request, socket: Socket) => socket.destroy())
  return server
}

/**
 * The same for the requests themselves: opencode's Bun has none of a server's limits. There, a connection on which no
 * request begins is closed after some ten seconds, and one that is used now and then never.
 */
export function bounded(answer: Listener, given: Limits = {}): Listener {
  const { arrivalMs, connections } = { ...defaults, ...given }
  const open = new Set<ServerResponse>()
  return (request, response) => {
    open.add(response)
    const { socket } = request
    // Bun would leave it open for as long as requests come now and then, and says nothing of one that has closed.
    response.setHeader("connection", "close")
    let isAwaited = hasBody(request)
    const late = isAwaited ? setTimeout(() => socket.destroy(), arrivalMs).unref() : undefined
    request.once("end", () => {
      isAwaited = false
      clearTimeout(late)
    })
    response.once("finish", () => {
      clearTimeout(late)
      // Bun would wait for the rest of a body that nobody has read.
      if (isAwaited) socket.end()
      // Whoever has asked closes it. Bun forgets what it has not sent yet.
      else setTimeout(() => socket.end(), arrivalMs).unref()
    })
    const leave = () => {
      open.delete(response)
      clearTimeout(late)
    }
    response.once("close", leave)
    // Where whoever has asked is gone, or was let go of, Bun tells the request alone.
    request.once("aborted", leave)
    if (open.size > connections)
      return refuse(response, 503, "busy", "Too many requests are open. Try again later.")
    if (!methods.has(request.method ?? ""))
      return refuse(response, 405, "method", `The inspector accepts ${[...methods].join(", ")}.`)
    return answer(request, response)
  }
}

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown

const hasBody = ({ headers }: IncomingMessage) =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

/** In the shape of all refusals; before there is a route. */
function refuse(response: ServerResponse, status: number, kind: string, message: string): void {
  response.writeHead(status, {
    "content-type": "application/json",
    connection: "close",
    ...(status === 405 && { allow: [...methods].join(", ") }),
  })
  response.end(JSON.stringify({ error: { kind, message } }))
}

/**
 * Resolves with where it listens, as `host:port`.
 * @throws {PortTakenError}
 */
export function listen(server: Server, port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" || error.code === "EACCES" ? new PortTakenError(port) : error),
    )
    server.listen(port, host, () => {
      // The inspector must not keep opencode alive.
      server.unref()
      const address = server.address() as AddressInfo
      const name = address.family === "IPv6" ? `[${address.address}]` : address.address
      resolve(`${name}:${address.port}`)
    })
  })
}
