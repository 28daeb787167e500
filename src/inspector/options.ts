import { BlockList, isIP } from "node:net"
import { AddressRefusedError, TOKEN_LENGTH, TokenTooShortError } from "./errors.ts"

export type InspectorOptions = {
  /** Default: 0, any free port. */
  port?: number | undefined
  /** Whether nothing can be changed through the inspector. Default: false. */
  readOnly?: boolean | undefined
  /** For scripts, as `Authorization: Bearer`; at least 32 characters. Default: a random one, kept secret. */
  token?: string | undefined
  /** A loopback address. Default: `127.0.0.1`. */
  host?: string | undefined
}

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** @throws {InspectorError} with a message for people. */
export function checkOptions({ host = "127.0.0.1", token }: InspectorOptions): void {
  const family = isIP(host)
  if (family === 0 || !loopback.check(host, family === 6 ? "ipv6" : "ipv4"))
    throw new AddressRefusedError(host)
  if (token !== undefined && token.length < TOKEN_LENGTH) throw new TokenTooShortError(token.length)
}
