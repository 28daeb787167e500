import type { JobRecord } from "./record.ts"

/*
 * Which jobs a group stands for. Apart from the records, so that the parts in the browser and in the terminal can ask
 * without all that reads records.
 */

/** Whether a job of this id is one of those that this one stands for, given the same owner. */
export const isItemOf = (id: string, group: string) =>
  id.startsWith(`${group}.`) && /^[1-9]\d*$/.test(id.slice(group.length + 1))

/** Whether this group stands for a job of this id: not for one whose item its list no longer has. */
export const standsFor = (
  { id: group, isGroup, formerItems }: Pick<JobRecord, "id" | "isGroup" | "formerItems">,
  id: string,
) => isGroup === true && isItemOf(id, group) && !formerItems?.includes(id)

/** The id of a job that one of this id would be an item of, if that job stands for others. */
export const groupOf = (id: string): string | undefined => /(.+)\.[1-9]\d*$/.exec(id)?.[1]
