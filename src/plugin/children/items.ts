import { createHash } from "node:crypto"
import { placeholder } from "../../machines/description.ts"
import type { Answer, ChildInput } from "../../machines/effects.ts"
import type { JobInput } from "../../machines/events.ts"
import { isItemOf } from "../../machines/group.ts"
import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import { type Host, type HostSession, isGone, type Result } from "../host/port.ts"
import { StoredJob } from "../records/stored-job.ts"
import { excerpt } from "../records/words.ts"
import { failure } from "./failure.ts"

/** Jobs that one task comes to at most. */
export const mostItems = 64
/** Jobs that one call comes to at most, with all the items that its jobs find. */
export const mostInCall = 512
/** How many that are left out are named, and how much of each is shown, characters. */
const mostNamed = 20
const longestNamed = 100
/** Before it is asked again which of the jobs there are. Milliseconds. */
const pauseMs = 2_000

export type ItemsOptions = {
  host: Pick<Host, "session">
  troupe: Pick<Troupe, "start" | "cancel" | "records">
  /** Brings back what earlier processes have left of an owner. */
  recovery: {
    owner(session: string): Promise<void>
    isInDoubt(owner: string): boolean
    elsewhere(owner: string): readonly { id: string }[]
  }
  /** Holds a child to what its owner may do now. */
  hold(
    owner: string,
    child: { session: string; agent: string; ownerAgent: string | undefined },
  ): Promise<Result<unknown>>
  now: () => number
}

export type Items = {
  /** Starts those jobs of a task that are not there yet, and waits for all of them. Takes the place of a prompt. */
  run(child: ChildInput, signal: AbortSignal): Promise<Answer>
  stop(): void
}

/** The jobs for the items that another job has found: see `each` in `JobInput`. */
export function createItems({ host, troupe, recovery, hold, now }: ItemsOptions): Items {
  const { records } = troupe

  // Whoever ends a task ends what it has become.
  const stop = records.subscribe((record) => {
    if (!hasEnded(record) || record.state === "done" || !record.isGroup) return
    if (record.error?.kind === "dependency") return
    troupe.cancel(itemsOf(record), `${record.id}, which it is one of, was ${record.state}`)
  })

  const itemsOf = ({ owner, id }: Pick<JobRecord, "owner" | "id">) =>
    records.of(owner).filter((record) => isItemOf(record.id, id))

  async function run({ job, session }: ChildInput, signal: AbortSignal): Promise<Answer> {
    const found = foundIn(job, records.get(job.owner, job.each?.from ?? ""))
    if (typeof found === "string") return { text: "", error: { kind: "dependency", message: found } }
    const list = found.filter((item) => /\S/.test(item))
    await allKnown(job.owner, signal)
    const known = await knownItems(job)
    const { rules } = await held(job, session)
    if (signal.aborted) throw failure("interrupted", { message: "nobody waits for it any more" })
    // From here to the last start nothing waits: nobody else takes the room.
    const room = roomFor(job)
    if (room === 0 && list.length > 0)
      return { text: "", error: { kind: "dependency", message: noRoom(list.length) } }
    const items = list.slice(0, Math.min(mostItems, room))
    const { ids, former } = placed(job.id, items, known)
    const why = room < Math.min(mostItems, list.length) ? ` (${inOneCall})` : ""
    const blank = blankWords(found.length - list.length)
    const notes = `${leftOut(list, items.length)}${why}${blank}${formerWords(itemsOf(job), former)}`
    const formerItems = former.length > 0 ? former : undefined
    if (items.length === 0) return { text: `Nothing to do: the list is empty${notes}.`, formerItems }
    for (const [index, id] of ids.entries())
      if (known.every((each) => each.id !== id))
        troupe.start(itemJob(job, id, items[index] ?? "", rules, now()))
    await ended(job.owner, ids, signal)
    return { ...answerOf(job.owner, ids, notes), formerItems }
  }

  /** The jobs that an earlier run has started, or this one before a restart, with what each of them is for. */
  async function knownItems({ owner, id }: JobInput): Promise<KnownItem[]> {
    const elsewhere = recovery.elsewhere(owner).filter((each) => isItemOf(each.id, id))
    return Promise.all([
      ...itemsOf({ owner, id }).map(async (record) => ({ id: record.id, item: await itemOf(record) })),
      ...elsewhere.map((each) => ({ id: each.id })),
    ])
  }

  async function itemOf({ session }: JobRecord): Promise<string | undefined> {
    if (session === "") return undefined
    const found = await host.session(session)
    if (found.ok) return StoredJob.safeParse(found.value.stored).data?.item
    if (isGone(found)) return undefined
    throw failure("create", found.error)
  }

  /** How many items its call has room for beside its other jobs. An earlier version did not say which those are. */
  function roomFor({ owner, id, batch }: JobInput): number {
    if (batch === undefined) return mostItems
    const others = records.of(owner).filter((each) => each.batch === batch && !isItemOf(each.id, id))
    return Math.max(0, mostInCall - others.length)
  }

  /** A restart may have left some of them: none is to be started twice. */
  async function allKnown(owner: string, signal: AbortSignal): Promise<void> {
    await recovery.owner(owner)
    while (recovery.isInDoubt(owner) && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs).unref())
      await recovery.owner(owner)
    }
  }

  /** Its own session has the rules of its items, which may do no more than their owner by now. */
  async function held({ owner, agent, each }: JobInput, session: string): Promise<HostSession> {
    const kept = await hold(owner, { session, agent, ownerAgent: each?.startedBy?.agent })
    if (!kept.ok) throw failure("create", kept.error)
    const found = await host.session(session)
    if (!found.ok) throw failure("create", found.error)
    return found.value
  }

  function ended(owner: string, ids: readonly string[], signal: AbortSignal): Promise<void> {
    const isOver = () =>
      ids.every((id) => {
        const record = records.get(owner, id)
        return record !== undefined && hasEnded(record)
      })
    return new Promise((resolve) => {
      const look = () => {
        if (!isOver() && !signal.aborted) return
        unsubscribe()
        signal.removeEventListener("abort", look)
        resolve()
      }
      const unsubscribe = records.subscribe(look)
      signal.addEventListener("abort", look)
      look()
    })
  }

  function answerOf(owner: string, ids: readonly string[], left: string): Answer {
    const items = ids.flatMap((id) => records.get(owner, id) ?? [])
    const bad = items.filter(({ state }) => state !== "done")
    const words = `${items.length - bad.length} of ${items.length} items are done${left}.`
    if (bad.length === 0) return { text: words }
    const named = bad.slice(0, mostNamed).map(({ id, state }) => `${id}: ${state}`)
    const more = bad.length > named.length ? ` and ${bad.length - named.length} more` : ""
    const message = `${words} The others: ${named.join(", ")}${more}`
    return { text: words, error: { kind: "dependency", message } }
  }

  return { run, stop }
}

const inOneCall = `one call starts ${mostInCall} jobs at most: start these with another call`

const noRoom = (count: number) => `there is no room for its ${count} items: ${inOneCall}`

/** `item`: what it is known by; nothing where that cannot be read any more. */
type KnownItem = { id: string; item?: string | undefined }

/**
 * Which job each item has: an earlier one keeps the job that it had, whatever comes before it by now. `former`: those
 * whose items are no longer there.
 */
function placed(
  group: string,
  items: readonly string[],
  known: readonly KnownItem[],
): { ids: string[]; former: string[] } {
  const free = new Map(known.map((each) => [each.id, each]))
  const take = (id: string | undefined) => (id !== undefined && free.delete(id) ? id : undefined)
  const same = items.map((item) => take([...free.values()].find((each) => each.item === nameOf(item))?.id))
  const usual = same.map((found, index) => {
    const id = `${group}.${index + 1}`
    const there = known.find((each) => each.id === id)
    // What one was for may not be known any more: its number says it.
    return found ?? (there?.item === undefined && (!there || take(id)) ? id : undefined)
  })
  const taken = new Set([...known.map(({ id }) => id), ...usual])
  let last = 0
  const next = (): string => (taken.has(`${group}.${++last}`) ? next() : `${group}.${last}`)
  const ids = usual.map((id) => id ?? next())
  return { ids, former: [...free.keys()] }
}

/** Short, however long the item is. */
const nameOf = (item: string) => createHash("sha256").update(item).digest("hex").slice(0, 16)

function blankWords(count: number): string {
  return count === 0 ? "" : `; ${count} blank ${count === 1 ? "one" : "ones"} left out`
}

function formerWords(records: readonly JobRecord[], former: readonly string[]): string {
  if (former.length === 0) return ""
  const named = former.slice(0, mostNamed).map((id) => {
    const about = records.find((record) => record.id === id)?.description ?? ""
    return `${id} (${excerpt(about, longestNamed)})`
  })
  const more = former.length > named.length ? ` and ${former.length - named.length} more` : ""
  return `; no longer in the list: ${named.join(", ")}${more}`
}

/** A task's words for one of its items. */
export const withItem = (words: string, item: string) => words.replaceAll(placeholder, () => item)

/** The items in a job's structured result, or why there are none. */
export function itemsIn(structured: unknown, path: string | undefined): string[] | string {
  const at = path === undefined ? onlyListIn(structured) : valueAt(structured, path)
  if (!Array.isArray(at)) {
    const where = path === undefined ? "" : ` at ${JSON.stringify(path)}`
    return `has no list${where} in its structured result`
  }
  return at.map((item) => (typeof item === "string" ? item : JSON.stringify(item)))
}

/** What is left out of a list that is too long, in words. */
export function leftOut(items: readonly string[], most = mostItems): string {
  const left = items.slice(most)
  if (left.length === 0) return ""
  const named = left.slice(0, mostNamed).map((item) => excerpt(item, longestNamed))
  const more = left.length > named.length ? ` and ${left.length - named.length} more` : ""
  return `; left of ${items.length}: ${named.join(", ")}${more}`
}

function foundIn({ each }: JobInput, record: JobRecord | undefined): string[] | string {
  if (!each) return "it has no items"
  if (record?.structured === undefined) return `${each.from} has no structured result: give it a schema`
  const found = itemsIn(record.structured, each.path)
  return typeof found === "string" ? `${each.from} ${found}` : found
}

/** An object with one list in it needs no path. */
function onlyListIn(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  const [list, ...others] = Object.values(value).filter((each) => Array.isArray(each))
  return others.length === 0 ? list : undefined
}

function valueAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((at, key) => {
    return typeof at === "object" && at !== null && Object.hasOwn(at, key) ? Reflect.get(at, key) : undefined
  }, value)
}

function itemJob(
  {
    each,
    needs,
    session: _session,
    earlier: _earlier,
    hasBegun: _hasBegun,
    wentOn: _wentOn,
    ...group
  }: JobInput,
  id: string,
  item: string,
  rules: HostSession["rules"],
  at: number,
): JobInput {
  const others = needs?.filter((need) => need.id !== each?.from) ?? []
  return {
    ...group,
    id,
    item: nameOf(item),
    prompt: withItem(group.prompt, item),
    description:
      each?.description === undefined ? excerpt(item, longestNamed / 2) : withItem(each.description, item),
    rules,
    startedBy: each?.startedBy,
    isolation: each?.isolation,
    needs: others.length > 0 ? others : undefined,
    timeoutMs: each?.timeoutMs ?? group.timeoutMs,
    idleMs: each?.idleMs ?? group.idleMs,
    createdAt: at,
    askedAt: at,
    run: 1,
  }
}
