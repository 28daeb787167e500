import { randomInt } from "node:crypto"
import { createServer } from "node:net"

/**
 * A port on loopback that is free now. None of those that systems give to outgoing connections (from 32768 on Linux):
 * one of these may be taken again before a program that was told of it has started to listen.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })
}
