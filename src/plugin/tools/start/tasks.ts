import { placeholder } from "../../../machines/description.ts"
import { oneLine } from "../../../util/plain.ts"
import { loadSchema } from "../../children/schema/schemas.ts"
import type { ToolCall } from "../../host/port.ts"
import type { Owner } from "../../owners/lineage.ts"
import { readTask, type Task } from "../arguments.ts"
import { agentFor } from "./agents.ts"
import type { Catalog } from "./catalog.ts"
import type { Item } from "./item.ts"
import { chosenInTurn } from "./models.ts"

/** Characters of an id that still has room for the number of an item. */
const longestListId = 37
/** The same where the list may change, so that there are later numbers. */
const longestOpenListId = 35

/** What can be said of a task by itself. */
export async function checked(
  catalog: Catalog,
  owner: Owner,
  call: ToolCall,
  given: unknown,
  index: number,
): Promise<Item> {
  return refuseSchema(read(catalog, owner, call, given, index), `tasks[${index}].schema`)
}

function read(
  { agents, models }: Catalog,
  owner: Owner,
  call: ToolCall,
  given: unknown,
  index: number,
): Item {
  const place = `tasks[${index}]`
  const name = nameOf(given) ?? place
  const parsed = readTask(given, index)
  if (!parsed.ok) return { name, refused: parsed.problems.join("; ") }
  const task = parsed.value
  const wrongEach = problemWithEach(task, place)
  if (wrongEach !== undefined) return { name, refused: wrongEach }
  const agent = agentFor(task.agent, agents, owner, call)
  if (typeof agent === "string") return { name, refused: agent }
  const item = { name, task, ...agent }
  if (task.model === undefined) return item
  const choices = chosenInTurn(models, [task.model].flat())
  if (typeof choices === "string") return { name, refused: choices }
  const [choice, ...fallbacks] = choices
  return { ...item, choice, ...(Array.isArray(task.model) && { fallbacks }) }
}

function problemWithEach({ id, prompt, each, check }: Task, place: string): string | undefined {
  if (each === undefined) return undefined
  if (!prompt.includes(placeholder))
    return `${place}.prompt has no ${placeholder}: all jobs of its list would be asked the same`
  // A model may have written the item: the shell would run what stands in it.
  if (check?.command.includes(placeholder))
    return (
      `${place}.check.command has ${placeholder}: no item becomes part of a command, as the shell would run what ` +
      "stands in it; give one command that is the same for every job"
    )
  const longest = Array.isArray(each) ? longestListId : longestOpenListId
  if (id !== undefined && id.length > longest)
    return `${place}.id has ${id.length} characters: with each it must have at most ${longest}`
  return undefined
}

async function refuseSchema(item: Item, place: string): Promise<Item> {
  if (!("task" in item) || item.task.schema === undefined) return item
  const loaded = await loadSchema(item.task.schema, place)
  return loaded.ok ? item : { name: item.name, refused: loaded.problems.join("; ") }
}

function nameOf(given: unknown): string | undefined {
  const id = typeof given === "object" && given !== null && "id" in given ? given.id : undefined
  const name = typeof id === "string" ? oneLine(id.slice(0, 40)) : ""
  return name === "" ? undefined : name
}
