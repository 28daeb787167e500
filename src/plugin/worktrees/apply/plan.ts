import { namesBetween } from "../changes.ts"
import { writeCommit } from "../commit.ts"
import { WorktreeError } from "../errors.ts"
import type { Call, Git, Where } from "../git.ts"
import { type Name, namesIn } from "../names.ts"
import { type Commit, commitAt, type Repository } from "../repository.ts"
import { type Snapshot, snapshotOf } from "../snapshot.ts"
import { hiddenIn } from "./hidden.ts"
import { inTheWay } from "./in-the-way.ts"

/** A job whose end is to be applied. */
export type Work = { id: string; base: string; commit: string }

/**
 * `conflict`: changed by the job and differently here. `dirty`: changed here and not committed. `inTheWay`: there is
 * something else, which git does not track, where the job has a file. `submodule`: no file but another repository.
 * `hidden`: changed here, though git was told not to look.
 */
export type Reason = "conflict" | "dirty" | "hidden" | "inTheWay" | "submodule"

/** Why a job is not applied. */
export type Obstacle = { id: string; reason: Reason; names: Name[] }

/** One file that an apply writes or removes. */
export type Change = { name: Name; isRemoved: boolean }

export type Plan = {
  /** The owner's files as they were looked at. */
  before: string
  /** The tree of the owner's files with all jobs applied. */
  after: string
  changes: Change[]
  obstacles: Obstacle[]
}

/** What applying these jobs one after the other would do. Nothing but objects in git's store is written. */
export async function planApply(
  git: Git,
  repository: Repository,
  { jobs, folder }: { jobs: readonly Work[]; folder: string },
  call: Call = {},
): Promise<Plan> {
  const { where } = repository
  const start = await snapshotOf(git, repository, folder, call)
  const dirty = new Set(await namesBetween(git, where, repository.head.tree, start.tree, call))
  const obstacles: Obstacle[] = []
  const add = (id: string, reason: Reason, names: Name[]) => {
    if (names.length > 0) obstacles.push({ id, reason, names })
  }
  let after = start.tree
  const changedBy = new Map<Name, string>()
  for (const job of jobs) {
    const base = await existing(git, where, job.base, call)
    const end = await existing(git, where, job.commit, call)
    const merged = await merge(git, where, { tree: after, base, end }, call)
    add(job.id, "conflict", merged.conflicts)
    if (merged.conflicts.length > 0) continue
    const changed = await namesBetween(git, where, after, merged.tree, call)
    const root = await existing(git, where, rootOf(job, jobs), call)
    const unlikeBase = new Set(await namesBetween(git, where, root.tree, start.tree, call))
    // What the job has started from, it has taken into account.
    add(
      job.id,
      "dirty",
      changed.filter((name) => dirty.has(name) && unlikeBase.has(name)),
    )
    for (const name of changed) changedBy.set(name, job.id)
    after = merged.tree
  }
  const { changes, links } = await changesBetween(git, where, start.tree, after, call)
  const blocked = await inTheWay(repository.root, changes, await trackedIn(start, git, where, changes, call))
  const names = changes.map(({ name }) => name)
  const hidden = await hiddenIn(git, repository, { names, folder }, call)
  for (const { id } of jobs) {
    const own = (name: Name) => changedBy.get(name) === id
    add(id, "submodule", links.filter(own))
    add(id, "hidden", hidden.filter(own))
    add(id, "inTheWay", [...blocked, ...below(start.leftOut, changes)].filter(own))
  }
  return { before: start.tree, after, changes, obstacles }
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

async function changesBetween(git: Git, where: Where, from: string, to: string, call: Call) {
  const args = ["diff-tree", "-r", "--no-renames", "--raw", "-z", from, to, "--"]
  const fields = namesIn((await git(where, args, call)).stdout)
  const changes: Change[] = []
  const links: Name[] = []
  // `:<mode> <mode> <id> <id> <status>`, then the name.
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [before, after] = (fields[index] ?? "").slice(1).split(" ")
    const name = fields[index + 1] ?? ""
    if (before === "160000" || after === "160000") links.push(name)
    else changes.push({ name, isRemoved: after === "000000" })
  }
  return { changes, links }
}

/** Of the files that change, those that the owner has. */
async function trackedIn(
  { tree }: Snapshot,
  git: Git,
  where: Where,
  changes: readonly Change[],
  call: Call,
): Promise<Set<Name>> {
  if (changes.length === 0) return new Set()
  const { stdout } = await git(where, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", tree], call)
  return new Set(namesIn(stdout))
}

function below(nested: readonly string[], changes: readonly Change[]): Name[] {
  const folders = nested.map((name) => `${Buffer.from(name).toString("latin1")}/`)
  return changes.map(({ name }) => name).filter((name) => folders.some((folder) => name.startsWith(folder)))
}
