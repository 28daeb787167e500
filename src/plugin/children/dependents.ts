import { standsFor } from "../../machines/group.ts"
import type { Records } from "../../machines/ledger.ts"
import { endOf, standingOf } from "../../machines/needs.ts"
import { hasEnded, type JobRecord } from "../../machines/record.ts"
import { wordsOf } from "../util/error-words.ts"
import type { Messenger } from "./messenger.ts"

export type DependentsOptions = {
  records: Records
  messenger: Pick<Messenger, "goOn">
  warn(message: string): void
}

export type Dependents = {
  /** Has those jobs of an owner go on that a need has failed and that none would fail now. */
  look(owner: string): void
  /** Those that have failed and are yet to go on: what they need runs again, or has just been done. */
  goingOn(owner: string): ReadonlySet<JobRecord>
  /** Hears of each owner of whose jobs one cannot go on after all. Returns what ends the subscription. */
  onGivenUp(listener: (owner: string) => void): () => void
  stop(): void
}

/** Lets jobs go on that failed because of what they need, once that is done after all. */
export function followDependents({ records, messenger, warn }: DependentsOptions): Dependents {
  const starting = new Set<JobRecord>()
  const listeners = new Set<(owner: string) => void>()

  function look(owner: string): void {
    for (const record of revivable(records.of(owner))) void goOn(record)
  }

  async function goOn(record: JobRecord): Promise<void> {
    starting.add(record)
    try {
      await messenger.goOn(record)
      starting.delete(record)
    } catch (error) {
      warn(`${record.id} could not go on: ${wordsOf(error)}`)
      starting.delete(record)
      for (const listener of listeners) listener(record.owner)
    }
  }

  const stop = records.subscribe((record, before) => {
    // One that is taken in had ended before: whether those that need it go on then is for recovery to say.
    if (record.state === "done" && before && !hasEnded(before)) look(record.owner)
  })
  return {
    look,
    goingOn(owner) {
      const all = records.of(owner)
      const found = revivable(all)
      const isLive = new Set(
        all.filter((record) => !hasEnded(record) || starting.has(record)).map(({ id }) => id),
      )
      // Whatever needs one that is about to go on is about to do so itself.
      for (let before = -1; before !== isLive.size; ) {
        before = isLive.size
        for (const record of found) if ([...isLive].some((id) => isFor(record, id))) isLive.add(record.id)
      }
      return new Set(found.filter(({ id }) => isLive.has(id)))
    },
    onGivenUp(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    stop,
  }
}

/** Those that this job has failed, the group that it is one of among them, and those that they have. */
export function failedBy(records: readonly JobRecord[], id: string): string[] {
  const found = [id]
  for (const need of found)
    found.push(
      ...records
        .filter((record) => isFailedByNeed(record) && isFor(record, need))
        .map((record) => record.id)
        .filter((dependent) => !found.includes(dependent)),
    )
  return found.slice(1)
}

const isFor = (record: JobRecord, need: string) =>
  record.needs?.some((each) => each.id === need) === true || standsFor(record, need)

/** In the order in which they were started. */
function revivable(records: readonly JobRecord[]): JobRecord[] {
  const byId = new Map(records.map((record) => [record.id, record]))
  let found = records.filter(isFailedByNeed)
  // Whoever needs one that does not go on does not either.
  for (let before = -1; before !== found.length; ) {
    before = found.length
    const going = new Set(found)
    found = found.filter(
      (group) =>
        // One that stands for others goes on when they all do.
        records.every((each) => !standsFor(group, each.id) || !hasEnded(each) || each.state === "done") &&
        group.needs?.every((need) => {
          const record = byId.get(need.id)
          if (!record) return false
          return !hasEnded(record) || going.has(record) || standingOf(need, endOf(record)) !== "broken"
        }),
    )
  }
  return found
}

const isFailedByNeed = ({ state, error, session }: JobRecord) =>
  state === "failed" && error?.kind === "dependency" && session !== ""
