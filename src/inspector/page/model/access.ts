import { signal } from "@preact/signals"
import { shortJson } from "../../../util/short-json.ts"
import type { AccessAnswer, ErrorAnswer, ProofAnswer } from "../../http/api.ts"

/** What this browser got for its link. Of no use once the inspector that let it in has stopped. */
type Pass = AccessAnswer

/**
 * Why nothing can be asked for: no link was followed yet, or a used one; or the inspector that let this browser in is
 * gone, and whoever has its port now gets nothing.
 */
export type NoAccess = "no-link" | "gone"

export class NoAccessError extends Error {}

export const noAccess = signal<NoAccess | undefined>(undefined)
/** Prints a fresh link; empty until that is known. */
export const linkCommand = signal(stored()?.command ?? "")

/** Bound to this origin, unlike a cookie: no other port gets to see it. */
const place = "troupe"
/** Longest wait for a proof, which an inspector gives at once. Milliseconds. */
const proofTimeout = 10_000

let pass = stored()
/** That the server is still the one that let us in: what is asked for meanwhile waits for it as well. */
let proving: Promise<void> | undefined

let entering: Promise<void> | undefined
/** The command of the inspector that has made this page. Asked for once: later, somebody else may be there. */
let commandHere: Promise<string> | undefined

/** Exchanges the link in the address, if there is one, and takes it out of the address. */
export function enter(): Promise<void> {
  entering = exchange()
  return entering
}

async function exchange(): Promise<void> {
  const link = new URLSearchParams(location.hash.slice(1)).get("link")
  if (link === null) return
  // Neither the history nor a screenshot shall hold it.
  history.replaceState(null, "", location.pathname + location.search)
  const headers = { "content-type": "application/json", "x-troupe": "1" }
  const body = JSON.stringify({ link })
  const response = await fetch("/api/access", { method: "POST", credentials: "omit", headers, body })
  if (response.ok) keep((await response.json()) as Pass)
}

/** Asks the inspector that has let this browser in, and nobody else. @throws NoAccessError where it is not there */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  await entering
  if (!pass) return refuseAgain()
  const mine = pass
  // Each time: an inspector may be gone, and its port another program's, before anybody notices.
  proving ??= prove(mine).finally(() => {
    proving = undefined
  })
  await proving
  const headers = { ...init.headers, authorization: `Bearer ${mine.secret}` }
  const response = await fetch(path, { ...init, credentials: "omit", headers }).catch(inOurWords)
  if (response.status === 401) return refuse("gone", mine.command)
  return response
}

/** A browser says of a connection that fails no more than that its fetch did. */
function inOurWords(error: unknown): never {
  throw error instanceof TypeError ? new Error("opencode does not answer.", { cause: error }) : error
}

/** Hears of links that were followed in other tabs. */
export function onEntered(hear: () => void): void {
  addEventListener("storage", ({ key }) => {
    if (key !== place || !adopt()) return
    hear()
  })
}

async function prove({ proofKey, command }: Pass): Promise<void> {
  const nonce = crypto.randomUUID()
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(), proofTimeout)
  try {
    const { signal } = patience
    const response = await fetch(`/api/proof?nonce=${nonce}`, { credentials: "omit", signal }).catch(
      inOurWords,
    )
    if (response.status === 503) throw new Error("the inspector is busy")
    const answer = (await shortJson(response)) as Partial<ProofAnswer> | undefined
    const proof = String(answer?.proof)
    if (!(await isProof(proof, proofKey, `${location.origin} ${nonce}`))) refuse("gone", command)
  } finally {
    clearTimeout(timer)
  }
}

async function isProof(proof: string, key: string, text: string): Promise<boolean> {
  const bytes = new TextEncoder()
  const algorithm = { name: "HMAC", hash: "SHA-256" }
  const imported = await crypto.subtle.importKey("raw", bytes.encode(key), algorithm, false, ["verify"])
  return crypto.subtle.verify("HMAC", imported, bytesOf(proof), bytes.encode(text))
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64url.replaceAll("-", "+").replaceAll("_", "/")), (char) =>
      char.charCodeAt(0),
    )
  } catch {
    return new Uint8Array()
  }
}

function refuse(why: NoAccess, command: string): never {
  // What another tab has got meanwhile is as good for this one.
  if (why === "gone" && adopt()) throw new Error("another tab has followed a fresh link")
  forget()
  noAccess.value = why
  linkCommand.value = command
  throw new NoAccessError(why)
}

/** For the reason that there was, and with what was known then: whoever answers now may be anybody. */
async function refuseAgain(): Promise<never> {
  if (noAccess.value) return refuse(noAccess.value, linkCommand.value)
  commandHere ??= readCommand().catch(() => "")
  return refuse("no-link", await commandHere)
}

async function readCommand(): Promise<string> {
  const response = await fetch("/api/jobs", { credentials: "omit" })
  const answer = (await shortJson(response)) as Partial<ErrorAnswer> | undefined
  return answer?.error?.command ?? ""
}

function keep(fresh: Pass): void {
  pass = fresh
  linkCommand.value = fresh.command
  proving = undefined
  noAccess.value = undefined
  write(JSON.stringify(fresh))
}

function forget(): void {
  pass = undefined
  proving = undefined
  write(undefined)
}

/** Takes over what is stored, if that is another one. */
function adopt(): boolean {
  const found = stored()
  if (!found || found.secret === pass?.secret) return false
  pass = found
  linkCommand.value = found.command
  proving = undefined
  noAccess.value = undefined
  return true
}

/** A browser may forbid it: then this tab alone has access. */
function write(value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(place)
    else localStorage.setItem(place, value)
  } catch {}
}

function stored(): Pass | undefined {
  try {
    const value = JSON.parse(localStorage.getItem(place) ?? "null") as Partial<Pass> | null
    const { secret, proofKey, command } = value ?? {}
    return secret && proofKey && command !== undefined ? { secret, proofKey, command } : undefined
  } catch {
    return undefined
  }
}
