import { isItemOf } from "../../../machines/group.ts"
import { mostItems } from "../../children/items.ts"
import type { Task } from "../arguments.ts"

/** The jobs that a list of items becomes. */
export const numbered = (list: string, items: readonly string[]) =>
  items.slice(0, mostItems).map((item, index) => ({ id: `${list}.${index + 1}`, item }))

export const itemIds = (list: string, items: readonly string[]) => numbered(list, items).map(({ id }) => id)

/** By which ids others may need a task. */
export function namesOf({ id, each }: Task): string[] {
  if (id === undefined) return []
  return Array.isArray(each) ? [id, ...itemIds(id, each)] : [id]
}

/** Whether an item of this task has the id. How many another job will find is not known yet: it could have any number. */
export function hasItem({ id, each }: Task, item: string): boolean {
  if (id === undefined || each === undefined) return false
  return Array.isArray(each) ? itemIds(id, each).includes(item) : isItemOf(item, id)
}
