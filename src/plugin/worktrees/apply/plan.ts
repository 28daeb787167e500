import { namesBetween } from "../changes.ts"
import { writeCommit } from "../commit.ts"
import { WorktreeError } from "../errors.ts"
import type { Call, Git, Where } from "../git.ts"
import { type Name, namesIn } from "../names.ts"
import { type Commit, commitAt, type Repository } from "../repository.ts"
import { snapshotOf } from "../snapshot.ts"
import { linkMode } from "../working-tree.ts"
import { hiddenIn } from "./hidden.ts"
import { inTheWay } from "./in-the-way.ts"
import { differencesBetween, type Ledger, leftIn } from "./ledger.ts"

/** A job whose end is to be applied. */
export type Work = { id: string; base: string; commit: string }

/**
 * `conflict`: changed by the job and differently here. `conflictWithJobs`: the same, but by jobs before it in the list.
 * `conflictWithApplied`: the same, where nothing but earlier applies has changed the files since HEAD. `dirty`: changed
 * here and not committed. `inTheWay`: there is something else, which git does not track, where the job has a file.
 * `submodule`: no file but another repository. `hidden`: changed here, though git was told not to look.
 */
export type Reason =
  | "conflict"
  | "conflictWithJobs"
  | "conflictWithApplied"
  | "dirty"
  | "hidden"
  | "inTheWay"
  | "submodule"

/** Why a job is not applied. `others`: the jobs that it is in conflict with. */
export type Obstacle = { id: string; reason: Reason; names: Name[]; others?: string[] }

/** One file that an apply writes or removes; `from`: its name until then, where it is renamed. */
export type Change = { name: Name; isRemoved: boolean; from?: Name }

export type Plan = {
  owner: string
  jobs: readonly Work[]
  /** The owner's files as they were looked at. */
  before: string
  /** The tree of the owner's files with all jobs applied. */
  after: string
  changes: Change[]
  /** The last job that changes each of those files. */
  changedBy: ReadonlyMap<Name, string>
  obstacles: Obstacle[]
}

export type PlanRequest = {
  owner: string
  jobs: readonly Work[]
  /** For what is needed meanwhile. */
  folder: string
  ledger: Ledger
}

/** What applying these jobs one after the other would do. Nothing but objects in git's store is written. */
export async function planApply(
  git: Git,
  repository: Repository,
  { owner, jobs, folder, ledger }: PlanRequest,
  call: Call = {},
): Promise<Plan> {
  const { where } = repository
  const start = await snapshotOf(git, repository, folder, call)
  const dirty = await differencesBetween(git, where, repository.head.tree, start.tree, call)
  const left = leftIn(ledger, owner, dirty)
  const obstacles: Obstacle[] = []
  const add = (obstacle: Obstacle) => {
    if (obstacle.names.length > 0) obstacles.push(obstacle)
  }
  let after = start.tree
  const changers = new Map<Name, string[]>()
  for (const job of jobs) {
    const { id } = job
    const base = await existing(git, where, job.base, call)
    const end = await existing(git, where, job.commit, call)
    const merged = await merge(git, where, { tree: after, base, end }, call)
    if (merged.conflicts.length > 0) {
      const alone =
        after === start.tree ? merged : await merge(git, where, { tree: start.tree, base, end }, call)
      for (const each of conflictsIn(merged.conflicts, { alone: alone.conflicts, left, changers }))
        add({ id, ...each })
      continue
    }
    const changed = await namesBetween(git, where, after, merged.tree, call)
    const root = await existing(git, where, rootOf(job, jobs), call)
    const unlikeBase = new Set(await namesBetween(git, where, root.tree, start.tree, call))
    // What the job has started from, it has taken into account; and what an apply has left is on the branch of its job.
    const isPersons = (name: Name) => dirty.has(name) && !left.has(name) && unlikeBase.has(name)
    add({ id, reason: "dirty", names: changed.filter(isPersons) })
    for (const name of changed) changers.set(name, [...(changers.get(name) ?? []), id])
    after = merged.tree
  }
  const { changes, links } = await changesBetween(git, where, start.tree, after, call)
  const names = changes.map(({ name }) => name)
  const changedBy = new Map(
    names.flatMap(
      (name) =>
        changers
          .get(name)
          ?.slice(-1)
          .map((id) => [name, id] as const) ?? [],
    ),
  )
  const blocked = await blockedIn(git, repository, { tree: start.tree, changes }, call)
  const hidden = await hiddenIn(git, repository, { names, folder }, call)
  for (const { id } of jobs) {
    const own = (name: Name) => changers.get(name)?.at(-1) === id
    add({ id, reason: "submodule", names: links.filter(own) })
    add({ id, reason: "hidden", names: hidden.filter(own) })
    add({ id, reason: "inTheWay", names: [...blocked, ...below(start.leftOut, changes)].filter(own) })
  }
  return { owner, jobs, before: start.tree, after, changes, changedBy, obstacles }
}

type Causes = {
  /** What is in conflict without the other jobs of the call, too. */
  alone: readonly Name[]
  left: ReadonlyMap<Name, string>
  changers: ReadonlyMap<Name, readonly string[]>
}

/** With whom the files are in conflict; those with the same together. */
function conflictsIn(names: readonly Name[], { alone, left, changers }: Causes): Omit<Obstacle, "id">[] {
  const found = new Map<string, Omit<Obstacle, "id">>()
  for (const name of names) {
    const cause = causeOf(name)
    const key = JSON.stringify(cause)
    found.set(key, { ...cause, names: [...(found.get(key)?.names ?? []), name] })
  }
  return [...found.values()]

  function causeOf(name: Name): Omit<Obstacle, "id" | "names"> {
    const applied = left.get(name)
    // A file that was renamed may be listed with a name that nobody has changed.
    if (!alone.includes(name))
      return {
        reason: "conflictWithJobs",
        others: [...(changers.get(name) ?? new Set([...changers.values()].flat()))],
      }
    return applied === undefined
      ? { reason: "conflict" }
      : { reason: "conflictWithApplied", others: [applied] }
  }
}

/** Where the first of those jobs has started whose ends this one and those before it have started from. */
function rootOf(job: Work, jobs: readonly Work[]): string {
  const before = jobs.slice(0, jobs.indexOf(job))
  const origin = before.find(({ commit }) => commit === job.base)
  return origin ? rootOf(origin, before) : job.base
}

async function existing(git: Git, where: Where, revision: string, call: Call): Promise<Commit> {
  const commit = await commitAt(git, where, revision, call)
  if (commit) return commit
  throw new WorktreeError(
    "gone",
    `there is no commit ${revision} in this repository any more`,
    "bring in its branch by hand, or start the job again",
  )
}

/**
 * One job on top of a tree. Both sides become commits on its base: so that is what git compares them with, whatever
 * their histories are.
 */
async function merge(
  git: Git,
  where: Where,
  { tree, base, end }: { tree: string; base: Commit; end: Commit },
  call: Call,
): Promise<{ tree: string; conflicts: Name[] }> {
  const side = (tree: string) => {
    const commit = { tree, parents: [base.id], message: "One side of a merge", time: base.time }
    return writeCommit(git, where, commit, call)
  }
  const [ours, theirs] = await Promise.all([side(tree), side(end.tree)])
  const args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs]
  const { code, stdout } = await git(where, args, { ...call, codes: [0, 1] })
  const [merged = "", ...conflicts] = namesIn(stdout)
  // Where one side has a folder and the other a file, git adds the side's id to the name of the file.
  const asked = conflicts.map((name) => name.replace(new RegExp(`~(?:${ours}|${theirs})(?:_\\d+)?$`), ""))
  return { tree: merged, conflicts: code === 0 ? [] : [...new Set(asked)] }
}

/** A renamed file is two changes, the first of which is the removal. */
async function changesBetween(git: Git, where: Where, from: string, to: string, call: Call) {
  const args = ["diff-tree", "-r", "-M", "--raw", "-z", from, to, "--"]
  const fields = namesIn((await git(where, args, call)).stdout)
  const changes: Change[] = []
  const links: Name[] = []
  // `:<mode> <mode> <id> <id> <status>`, then the name, or both of a renamed file.
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [before, after, , , status] = (fields[index] ?? "").slice(1).split(" ")
    const name = fields[index + 1] ?? ""
    if (before === linkMode || after === linkMode) links.push(name)
    else if (status?.startsWith("R")) {
      changes.push({ name, isRemoved: true }, { name: fields[index + 2] ?? "", isRemoved: false, from: name })
      index++
    } else changes.push({ name, isRemoved: after === "000000" })
  }
  return { changes, links }
}

/** Of the files that change, those in whose place something is by now that the owner's tree does not have. */
export async function blockedIn(
  git: Git,
  { root, where }: Repository,
  { tree, changes }: { tree: string; changes: readonly Change[] },
  call: Call,
): Promise<Name[]> {
  if (changes.length === 0) return []
  const { stdout } = await git(where, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", tree], call)
  return inTheWay(root, changes, new Set(namesIn(stdout)))
}

function below(nested: readonly string[], changes: readonly Change[]): Name[] {
  const folders = nested.map((name) => `${Buffer.from(name).toString("latin1")}/`)
  return changes.map(({ name }) => name).filter((name) => folders.some((folder) => name.startsWith(folder)))
}
