import { BlockList, isIP } from "node:net"
import { AccessRefusedError } from "./errors.ts"

/** Fewest characters of a token that a person chooses. */
export const TOKEN_LENGTH = 32

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

/** @throws {AccessRefusedError} that names all that is wrong. */
export function checkOptions({ host = "127.0.0.1", token }: InspectorOptions): void {
  const problems = [
    ...(isLoopback(host) ? [] : [`inspector.host is ${JSON.stringify(host)}: it must be 127.0.0.1 or ::1`]),
    ...(token === undefined || token.length >= TOKEN_LENGTH
      ? []
      : [`inspector.token has ${token.length} characters: it must have at least ${TOKEN_LENGTH}`]),
  ]
  if (problems.length > 0) throw new AccessRefusedError(problems.join("; "))
}

export function isLoopback(host: string): boolean {
  const family = isIP(host)
  return family !== 0 && loopback.check(host, family === 6 ? "ipv6" : "ipv4")
}
