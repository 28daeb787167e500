import { BlockList, isIP } from "node:net"
import { AddressRefusedError, TOKEN_LENGTH, TokenTooShortError } from "./errors.ts"

export type InspectorOptions = {
  /** 0 (the default) for any free one. */
  port?: number | undefined
  /** Nothing can be changed through the inspector. Default: false. */
  readOnly?: boolean | undefined
  /** For scripts, as `Authorization: Bearer`; 32 characters or more. Default: a random one, told to nobody. */
  token?: string | undefined
  /** `127.0.0.1` (the default) or `::1`; every other address is refused. */
  host?: string | undefined
}

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** Throws what a person should read. */
export function checkOptions({ host = "127.0.0.1", token }: InspectorOptions): void {
  const family = isIP(host)
  if (family === 0 || !loopback.check(host, family === 6 ? "ipv6" : "ipv4"))
    throw new AddressRefusedError(host)
  if (token !== undefined && token.length < TOKEN_LENGTH) throw new TokenTooShortError(token.length)
}
