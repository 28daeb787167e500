import { groupOf, isItemOf } from "../../../machines/group.ts"
import { hasEnded } from "../../../machines/record.ts"
import type { Task } from "../arguments.ts"
import type { Services } from "../services.ts"
import { itemIds } from "./graph.ts"
import type { Item, Refused } from "./item.ts"

/** Refuses the tasks whose ids are taken: by jobs, or by tasks of this call. */
export function refuseTaken(services: Services, owner: string, items: readonly Item[]): Item[] {
  const lists = items.flatMap((item) => ("task" in item && item.task.each ? item.task : []))
  return items.map((item, index) =>
    withoutItemsId(withFreeId(services, owner, item), lists, `tasks[${index}]`),
  )
}

function withFreeId(services: Services, owner: string, item: Item): Item {
  if ("refused" in item || item.task.id === undefined) return item
  const { id, each } = item.task
  for (const wanted of Array.isArray(each) ? [id, ...itemIds(id, each)] : [id]) {
    const taker = takerOf(services, owner, wanted)
    if (taker !== undefined) return refusedAsTaken(item.name, wanted, taker)
  }
  const taken = isOpenList(item.task) ? itemOf(services, owner, id) : undefined
  if (taken === undefined) return item
  return refusedAsTaken(item.name, taken, takerOf(services, owner, taken) ?? "")
}

/** How many items another job will find is not known yet: all the ids that they could have are theirs. */
const isOpenList = ({ each }: Task) => each !== undefined && !Array.isArray(each)

/** A job that there is already, which would be taken for one of the items of this one. */
function itemOf({ troupe, recovery }: Services, owner: string, list: string): string | undefined {
  const known = [...troupe.records.of(owner), ...recovery.elsewhere(owner)]
  return known.find(({ id }) => isItemOf(id, list))?.id
}

/** A task with the id of an item of another: that has it, whichever of the two comes first. @param lists those with items */
function withoutItemsId(item: Item, lists: readonly Task[], place: string): Item {
  if ("refused" in item || item.task.id === undefined) return item
  const { id, each } = item.task
  const wanted = Array.isArray(each) ? [id, ...itemIds(id, each)] : [id]
  const list = lists.find((other) => other.id !== id && wanted.some((one) => hasItemOf(other, one)))?.id
  if (list === undefined) return item
  return {
    name: item.name,
    refused: `${place} cannot have this id, which an item of ${list} has; choose another, or leave it out`,
  }
}

/** All that could be items of a list that is not known yet are. */
const hasItemOf = ({ id = "", each = [] }: Task, item: string) =>
  Array.isArray(each) ? itemIds(id, each).includes(item) : isItemOf(item, id)

const forItemsOf = (list: string) => ` by the items of ${list}`

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
    const list = groupOf(id)
    return list !== undefined && troupe.records.get(owner, list)?.isGroup ? forItemsOf(list) : undefined
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
