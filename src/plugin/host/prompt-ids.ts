import { createHash } from "node:crypto"

/** Times come round again after some two years. */
const idRange = 2n ** 48n
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/**
 * The id under which a run is asked. It follows from session and time alone, so that asking again after a crash joins
 * the first prompt or returns its answer; and ids sort by time as opencode's own do: 12 hex digits of milliseconds ×
 * 4096 + counter, modulo 2^48, then 14 characters.
 */
export function promptID(session: string, askedAt: number): string {
  return idAt(askedAt, idTail(`message ${session} ${askedAt}`))
}

function idAt(at: number, tail: string): string {
  return `msg_${((BigInt(at) * 4096n) % idRange).toString(16).padStart(12, "0")}${tail}`
}

/** The id under which a child is asked to correct its answer to this prompt, given then, epoch milliseconds. */
export const repairID = (asked: string, answeredAt: number) => idAt(answeredAt + 1, repairTail(asked))

/** Whether a message asks to correct the answer to this prompt. */
export const isRepairOf = (messageID: string, asked: string) =>
  messageID.slice(idHeadLength) === repairTail(asked)

/** The id under which a child is told that the answer to this prompt did not pass its check, which ended then. */
export const recheckID = (asked: string, checkedAt: number) => idAt(checkedAt + 1, recheckTail(asked))

/** Whether a message tells that of an answer to this prompt, in whichever round. */
export const isRecheckOf = (messageID: string, asked: string) =>
  messageID.slice(idHeadLength) === recheckTail(asked)

const repairTail = (asked: string) => idTail(`repair ${asked}`)
const recheckTail = (asked: string) => idTail(`check ${asked}`)
const idHeadLength = "msg_".length + 12

/** The characters of an id that tell it from others of the same time. */
export const idTail = (seed: string) =>
  [...createHash("sha256").update(seed).digest().subarray(0, 14)]
    .map((byte) => alphabet[byte % alphabet.length])
    .join("")

/** Whether a prompt with this id is older than that time, epoch milliseconds, and not more than a year. */
export function wasAskedBefore(messageID: string, at: number): boolean {
  const age = (BigInt(at) * 4096n - BigInt(`0x${messageID.slice(4, 16)}`)) % idRange
  const since = (age + idRange) % idRange
  return since > 0n && since < idRange / 2n
}
