import { breachOf, endOf, standingOf } from "../../../machines/needs.ts"
import { hasEnded, type Need } from "../../../machines/record.ts"
import { itemsIn } from "../../children/items.ts"
import type { Task } from "../arguments.ts"
import { jobsOfList, listed, type Services } from "../services.ts"
import type { Refused } from "./item.ts"
import { itemIds, namesOf } from "./list-ids.ts"

type Named = { name: string; task: Task }

/**
 * Refuses what could never begin: tasks that need each other in a circle, those that need what there is not or what
 * has ended otherwise, and those that need a refused one.
 */
export function refuseUnmeetable<Sound extends Named>(
  items: readonly (Sound | Refused)[],
  services: Services,
  owner: string,
): (Sound | Refused)[] {
  const { records } = services.troupe
  const sound = items.filter((item): item is Sound => "task" in item)
  const refusals = new Map<Sound | Refused, string>()
  const isRefused = (item: Sound | Refused) => "refused" in item || refusals.has(item)
  /** Of two tasks with one id the first gets it. */
  const taskOf = (id: string) =>
    sound.find((item) => !refusals.has(item) && namesOf(item.task).includes(id)) ??
    items.find((item) => ("task" in item ? namesOf(item.task).includes(id) : item.name === id))

  for (const item of sound) {
    const twin = twinIn(item.task)
    if (twin !== undefined) refusals.set(item, `it names ${twin} twice in needs`)
  }
  const next = (item: Sound | Refused) =>
    "task" in item && !isRefused(item) ? needsOf(item.task).flatMap(({ id }) => taskOf(id) ?? []) : []
  for (let circle = circleIn(items, next); circle; circle = circleIn(items, next)) {
    const [first, ...others] = circle.map(({ name }) => name)
    const path = [first, ...others, first].join(" → ")
    const words = others.length === 0 ? "it needs itself" : `they need each other in a circle: ${path}`
    for (const item of circle) refusals.set(item, words)
  }

  const obstacleTo = (need: Need) => {
    const task = taskOf(need.id)
    if (task) return isRefused(task) ? `it needs ${need.id}, which was refused` : undefined
    return obstacleAmongJobs(services, owner, need)
  }
  const askedFor = (id: string) => {
    const item = taskOf(id)
    return item && "task" in item ? item.task : undefined
  }
  /** Why nothing can be taken from this job: it stands for others. */
  const whyNotOne = (id: string) => {
    const task = askedFor(id)
    const record = records.get(owner, id)
    const isList = task
      ? task.each !== undefined && task.id === id
      : (record?.isGroup ?? (!record && jobsOfList(records, owner, id).length > 0))
    // What another job finds has no ids before.
    const later = task?.each && !Array.isArray(task.each) ? ", with a later call" : ""
    return isList ? `${id} stands for several jobs: name one of them, such as ${id}.1${later}` : undefined
  }
  /** Why there are no items in what they are to come from. */
  const lackOf = ({ each }: Task) => {
    if (each === undefined || Array.isArray(each)) return undefined
    const { from, path } = each
    const several = whyNotOne(from)
    if (several !== undefined) return several
    const task = askedFor(from)
    if (task) return task.schema ? undefined : `${from} has no schema, so no list that each could be from`
    const record = records.get(owner, from)
    if (record?.state !== "done") return undefined
    const found = itemsIn(record.structured, path)
    return typeof found === "string" ? `${from} ${found}` : undefined
  }
  /** Why there is nothing to start from. */
  const lackOfWorktree = ({ isolation }: Task) => {
    if (typeof isolation !== "object") return undefined
    const { from } = isolation
    const several = whyNotOne(from)
    if (several !== undefined) return several
    const task = askedFor(from)
    const record = records.get(owner, from)
    const isThere = task
      ? task.isolation !== undefined
      : record === undefined || record.worktree !== undefined
    return isThere ? undefined : `${from} has no worktree of its own to start from: give it isolation as well`
  }
  for (let before = -1; before < refusals.size; ) {
    before = refusals.size
    for (const item of sound) {
      if (refusals.has(item)) continue
      const { task } = item
      const obstacle = [...needsOf(task).map(obstacleTo), lackOf(task), lackOfWorktree(task)].find(
        (words) => words !== undefined,
      )
      if (obstacle !== undefined) refusals.set(item, obstacle)
    }
  }
  return items.map((item) => {
    const refused = refusals.get(item)
    return refused === undefined ? item : { name: item.name, refused }
  })
}

/** What jobs are to need: of a list of items, every job that came of it. */
export function needsFor(
  { task }: Named,
  items: readonly (Named | Refused)[],
  { troupe }: Services,
  owner: string,
): Need[] | undefined {
  const idsFor = (id: string) => {
    const list = items.find((item): item is Named => "task" in item && item.task.id === id)?.task.each
    if (Array.isArray(list)) return itemIds(id, list)
    if (list || troupe.records.get(owner, id)) return [id]
    const jobs = jobsOfList(troupe.records, owner, id).map((job) => job.id)
    return jobs.length > 0 ? jobs : [id]
  }
  const needs = needsOf(task).flatMap(({ id, on }) => idsFor(id).map((each): Need => ({ id: each, on })))
  return needs.length > 0 ? [...new Map(needs.map((need) => [need.id, need])).values()] : undefined
}

function needsOf({ needs = [], each, isolation }: Task): Need[] {
  const open = each === undefined || Array.isArray(each) ? [] : [each.from]
  // One that was named may be needed however it ends.
  const isNamed = (job: string) => needs.some(({ id }) => id === job)
  const start = typeof isolation === "object" && !isNamed(isolation.from) ? [isolation.from] : []
  return [...needs, ...[...open, ...start].map((id): Need => ({ id, on: "done" }))]
}

function twinIn({ needs = [] }: Task): string | undefined {
  return needs.find(({ id }, index) => needs.findIndex((other) => other.id === id) < index)?.id
}

/** The first circle on the way from any of them. */
function circleIn<Item>(items: readonly Item[], next: (item: Item) => Item[]): Item[] | undefined {
  const over = new Set<Item>()
  for (const start of items) {
    const way: { item: Item; ahead: Item[] }[] = [{ item: start, ahead: next(start) }]
    for (let last = way.at(-1); last; last = way.at(-1)) {
      const item = last.ahead.shift()
      if (item === undefined) {
        over.add(last.item)
        way.pop()
        continue
      }
      const index = way.findIndex((each) => each.item === item)
      if (index >= 0) return way.slice(index).map((each) => each.item)
      if (!over.has(item)) way.push({ item, ahead: next(item) })
    }
  }
  return undefined
}

function obstacleAmongJobs(services: Services, owner: string, need: Need): string | undefined {
  const { troupe, recovery } = services
  const { id, on } = need
  const theirs = recovery.elsewhere(owner).find((job) => job.id === id)
  if (theirs) return `it needs ${id}, a job of another opencode (pid ${theirs.pid})`
  const record = troupe.records.get(owner, id)
  if (record && hasEnded(record)) {
    const end = endOf(record)
    if (standingOf(need, end) !== "broken") return undefined
    return `${breachOf(end)}; continue ${id} with agents_send first, or need {id: "${id}", on: "ended"}`
  }
  if (record) return undefined
  const group = jobsOfList(troupe.records, owner, id)
  if (group.length > 0)
    return group
      .map((each) => obstacleAmongJobs(services, owner, { id: each.id, on }))
      .find((words) => words !== undefined)
  const known = troupe.records.of(owner).map((job) => job.id)
  const there = known.length > 0 ? `your jobs: ${listed(known, 20)}` : "you have no jobs"
  return `it needs ${id}, which is no task of this call and no job of yours (${there})`
}
