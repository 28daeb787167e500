import { groupOf } from "../../../machines/group.ts"
import { hasEnded } from "../../../machines/record.ts"
import type { Task } from "../arguments.ts"
import type { Services } from "../services.ts"
import type { Item, Refused } from "./item.ts"
import { hasItem, namesOf } from "./list-ids.ts"

/** Refuses the tasks whose ids are taken: by jobs, or by tasks of this call. */
export function refuseTaken(services: Services, owner: string, items: readonly Item[]): Item[] {
  const tasks = items.filter((item) => "task" in item).map(({ task }) => task)
  return items.map((item, index) =>
    withoutItemsId(withFreeId(services, owner, item), tasks, `tasks[${index}]`),
  )
}

function withFreeId(services: Services, owner: string, item: Item): Item {
  if ("refused" in item) return item
  const { troupe, recovery } = services
  // A job that there is already would be taken for an item.
  const asItems = [...troupe.records.of(owner), ...recovery.elsewhere(owner)]
    .map(({ id }) => id)
    .filter((id) => hasItem(item.task, id))
  for (const wanted of [...namesOf(item.task), ...asItems]) {
    const taker = takerOf(services, owner, wanted)
    if (taker !== undefined) return refusedAsTaken(item.name, wanted, taker)
  }
  return item
}

/** A task with the id of an item of another: that has it, whichever of the two comes first. */
function withoutItemsId(item: Item, tasks: readonly Task[], place: string): Item {
  if ("refused" in item) return item
  const names = namesOf(item.task)
  const list = tasks.find((other) => other.id !== item.task.id && names.some((name) => hasItem(other, name)))
  if (!list) return item
  return {
    name: item.name,
    refused: `${place} cannot have this id, which an item of ${list.id} has; choose another, or leave it out`,
  }
}

export const refusedAsTaken = (name: string, id: string, taker: string): Refused => ({
  name,
  refused: `the id "${id}" is taken${taker}; choose another, or leave it out`,
})

/** Whose an id is, in words; nothing where it is free. */
export function takerOf({ troupe, recovery }: Services, owner: string, id: string): string | undefined {
  const theirs = recovery.elsewhere(owner).find((job) => job.id === id)
  if (theirs) return ` by a job of another opencode (pid ${theirs.pid})`
  const own = troupe.records.get(owner, id)
  if (!own) {
    const list = troupe.records.get(owner, groupOf(id) ?? id)
    return list?.isGroup ? ` by the items of ${list.id}` : undefined
  }
  if (!hasEnded(own)) return ""
  return own.session === ""
    ? " by a job that never got a session"
    : " by an ended job, which agents_send continues"
}

export function freeId(services: Services, owner: string, wanted: ReadonlySet<string | undefined>): string {
  const isTaken = (id: string) => wanted.has(id) || takerOf(services, owner, id) !== undefined
  let index = services.troupe.records.countOf(owner) + 1
  while (isTaken(`j${index}`)) index++
  return `j${index}`
}
