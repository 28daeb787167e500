import { oneLine } from "../../../util/plain.ts"
import { mostItems } from "../../children/items.ts"
import { excerpt } from "../../records/words.ts"
import type { Task } from "../arguments.ts"

/** Characters of a prompt that stand for it where no description was given: as many as git shows of a commit's subject. */
const descriptionLength = 72

export function describe({ description, prompt }: Task): string {
  return description === undefined ? excerpt(prompt, descriptionLength) : oneLine(description)
}

export function describeAll(task: Task): string {
  const { each } = task
  return Array.isArray(each)
    ? `${describe(task)} for each of ${Math.min(each.length, mostItems)}`
    : describe(task)
}
