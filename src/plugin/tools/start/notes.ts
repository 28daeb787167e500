import { placeholder } from "../../../machines/description.ts"
import type { JobRecord } from "../../../machines/record.ts"
import { leftOut, mostItems } from "../../children/items.ts"
import { listed } from "../services.ts"
import type { Catalog } from "./catalog.ts"
import type { Item, Sound } from "./item.ts"

/** What else to say of a task than whether it was started. */
export function notesOn(item: Item, items: readonly Item[]): string[] {
  return "refused" in item ? [] : [...notesOnList(item), ...notesOnPlaceholders(item, items)]
}

/** What a list of items comes to, where that is not one job for each. */
function notesOnList({ name, task: { each } }: Sound): string[] {
  if (!Array.isArray(each)) return []
  if (each.length === 0) return [`${name}: nothing to do, as each is empty.`]
  return each.length > mostItems ? [`${name}: ${mostItems} items${leftOut(each)}.`] : []
}

/** What reads like a place for an item or a result, and gets none. */
function notesOnPlaceholders({ name, task }: Sound, items: readonly Item[]): string[] {
  const { prompt, needs, each, isolation } = task
  const isLackingEach = each === undefined && prompt.includes(placeholder)
  const isHandedOver = (id: string) =>
    needs?.some((need) => need.id === id) || (typeof isolation === "object" && isolation.from === id)
  const unneeded = items
    .filter((item) => "task" in item)
    .map((item) => item.task.id)
    .filter((id) => id !== undefined && prompt.includes(`{{${id}}}`) && !isHandedOver(id))
  return [
    ...(isLackingEach ? [`${name}: ${placeholder} stays in its prompt as it is: it has no each.`] : []),
    ...unneeded.map((id) => `${name}: {{${id}}} stays in its prompt as it is: it does not need ${id}.`),
  ]
}

/** What no limit of costs can hold is said at the start, rather than never noticed. */
export function unpriced(records: readonly JobRecord[], { models }: Catalog): string[] {
  const used = records.map(({ model }) => model)
  const names = models
    .filter(({ name, isUnpriced }) => isUnpriced && used.includes(name))
    .map(({ name }) => name)
  return names.length > 0
    ? [`opencode knows no price for ${listed(names, 5)}: a cost budget cannot hold it, a token budget can.`]
    : []
}
