import { mostInCall, mostItems } from "../../children/items.ts"
import type { Task } from "../arguments.ts"
import type { Refused } from "./item.ts"

/** Refuses each task with which its call would come to too many jobs; a smaller one behind it may still fit. */
export function refuseBeyond<Sound extends { name: string; task: Task }>(
  items: readonly (Sound | Refused)[],
): (Sound | Refused)[] {
  let before = 0
  return items.map((item) => {
    if ("refused" in item) return item
    const all = before + jobsOf(item.task)
    if (all > mostInCall) {
      const refused = `with it the call would come to ${all} jobs, and one call starts ${mostInCall} at most: start it with another call`
      return { name: item.name, refused }
    }
    before = all
    return item
  })
}

/** One whose items another job will find is a job itself: its items have what room the call leaves them. */
const jobsOf = ({ each }: Task) => (Array.isArray(each) ? Math.min(each.length, mostItems) : 1)
