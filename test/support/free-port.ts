import { once } from "node:events"
import { createServer } from "node:net"

/** A port nobody listens on now; the system hands out others until it comes round again. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (address === null || typeof address === "string") throw new Error(`Not a port: ${address}`)
  return address.port
}
