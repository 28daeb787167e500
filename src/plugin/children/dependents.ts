import type { Records } from "../../machines/ledger.ts"
import { endOf, standingOf } from "../../machines/needs.ts"
import { hasEnded, isItemOf, type JobRecord } from "../../machines/record.ts"
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
  stop(): void
}

/** Lets jobs go on that failed because of what they need, once that is done after all. */
export function followDependents({ records, messenger, warn }: DependentsOptions): Dependents {
  const look = (owner: string) => {
    for (const record of revivable(records.of(owner)))
      messenger.goOn(record).catch((error) => warn(`${record.id} could not go on: ${wordsOf(error)}`))
  }
  const stop = records.subscribe((record, before) => {
    // One that is taken in had ended before: whether those that need it go on then is for recovery to say.
    if (record.state === "done" && before && !hasEnded(before)) look(record.owner)
  })
  return { look, stop }
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

const isFor = ({ id, needs = [], isGroup }: JobRecord, need: string) =>
  needs.some((each) => each.id === need) || (isGroup === true && isItemOf(need, id))

/** In the order in which they were started. */
function revivable(records: readonly JobRecord[]): JobRecord[] {
  const byId = new Map(records.map((record) => [record.id, record]))
  let found = records.filter(isFailedByNeed)
  // Whoever needs one that does not go on does not either.
  for (let before = -1; before !== found.length; ) {
    before = found.length
    const going = new Set(found)
    found = found.filter(
      ({ id, isGroup, needs = [] }) =>
        // One that stands for others goes on when they all do.
        (!isGroup ||
          records.every((each) => !isItemOf(each.id, id) || !hasEnded(each) || each.state === "done")) &&
        needs.every((need) => {
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
