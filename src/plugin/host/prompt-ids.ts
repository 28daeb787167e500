import { createHash } from "node:crypto"

/** Times come round again after some two years. */
const idRange = 2n ** 48n
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/**
 * The ids under which a run is asked. They follow from session and time alone, so that asking again after a crash
 * joins the first prompt or returns its answer; and they sort by time as opencode's own do: 12 hex digits of
 * milliseconds × 4096 + counter, modulo 2^48, then 14 characters.
 */
export function promptIds(session: string, askedAt: number): { messageID: string; partID: string } {
  const time = ((BigInt(askedAt) * 4096n) % idRange).toString(16).padStart(12, "0")
  const tail = (kind: string) =>
    [...createHash("sha256").update(`${kind} ${session} ${askedAt}`).digest().subarray(0, 14)]
      .map((byte) => alphabet[byte % alphabet.length])
      .join("")
  return { messageID: `msg_${time}${tail("message")}`, partID: `prt_${time}${tail("part")}` }
}

/** Whether a prompt with this id is older than that time, epoch milliseconds, and not more than a year. */
export function wasAskedBefore(messageID: string, at: number): boolean {
  const age = (BigInt(at) * 4096n - BigInt(`0x${messageID.slice(4, 16)}`)) % idRange
  const since = (age + idRange) % idRange
  return since > 0n && since < idRange / 2n
}
