import { randomUUID } from "node:crypto"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { namesBetween } from "../changes.ts"
import { fileFailure, WorktreeError } from "../errors.ts"
import { type Call, fileLimitMs, type Git, type Tree } from "../git.ts"
import { foldersOf, listed, type Name, pathOf } from "../names.ts"
import type { Repository } from "../repository.ts"
import { snapshotOf } from "../snapshot.ts"
import { someNames } from "../working-tree.ts"
import { contentAt, contentIn, none, stampIn } from "./content.ts"
import {
  copyEntry,
  hasRealFolders,
  keepAccess,
  makeFolders,
  moveEntry,
  removeEmptied,
  removeEntry,
} from "./files.ts"
import { closeJournal, type Journal, oldCopy, type Step, writeJournal } from "./journal.ts"
import { differencesBetween, type Ledger, readLedger, withApply, writeLedger } from "./ledger.ts"
import { blockedIn, type Change, type Plan } from "./plan.ts"
import { undo } from "./recover.ts"

/** A step, with what tells whether its file has changed since it was copied. */
type Staged = Step & { stamp: string }

/** The folder of the journal, and that in it where git writes what is new. */
type Places = { folder: string; fresh: string }

type Folders = {
  /** For the journal and what goes with it; nobody else uses it meanwhile. */
  folder: string
  /** Of all worktrees of the repository. */
  ours: string
}

/**
 * Writes what was planned: all of it, or nothing. The owner's index, HEAD and stash have no part in it. What an earlier
 * apply may have left in `folder` has been recovered.
 * @throws WorktreeError, `changed` where a file is no longer as it was when the plan was made
 */
export async function writePlan(
  git: Git,
  repository: Repository,
  plan: Plan,
  { folder, ours }: Folders,
  call: Call = {},
): Promise<void> {
  const { root, where } = repository
  // A git whose opencode was killed may still write what that was about to apply: not into what this one applies.
  const fresh = join(folder, randomUUID())
  for (const each of [join(folder, "old"), fresh]) await mkdir(each, { recursive: true, mode: 0o700 })
  let staged: Staged[]
  let ledger: Ledger
  try {
    await stageNew(git, where, plan, fresh, call)
    staged = await stageOld(root, plan, { folder, fresh })
    const { tree } = await snapshotOf(git, repository, ours, call)
    const changed = new Set(await namesBetween(git, where, plan.before, tree, call))
    const blocked = new Set(await blockedIn(git, repository, { tree, changes: plan.changes }, call))
    const touched = plan.changes
      .map(({ name }) => name)
      .filter((name) => changed.has(name) || blocked.has(name))
    if (touched.length > 0) throw haveChanged(touched)
    ledger = await ledgerAfter(git, root, plan, { folder, tree }, call)
  } catch (error) {
    await closeJournal(folder)
    throw error
  }
  const steps = staged.map(({ stamp: _, ...step }) => step)
  const journal: Journal = { root, steps, folders: await foldersToMake(root, plan), ledger }
  const written = new Set<Name>()
  try {
    await writeJournal(folder, journal)
    await writeAll({ folder, fresh }, journal, staged, written)
    await writeJournal(folder, { ...journal, isWritten: true })
  } catch (error) {
    // Where that fails too, the journal stays, and the next call tries again.
    const changed = (await undo(folder, journal).catch(notTakenBack(error))).filter((name) =>
      written.has(name),
    )
    await closeJournal(folder)
    throw changed.length > 0 ? notPutBack(error, changed) : error
  }
  // It has happened: what this cannot do any more, for want of space for instance, the next call does.
  await writeLedger(folder, ledger)
    .then(() => closeJournal(folder))
    .catch(() => {})
}

/** HEAD as it is by now: somebody may have committed since the plan was made. */
async function ledgerAfter(
  git: Git,
  root: string,
  { owner, jobs, changedBy, after: treeAfter }: Plan,
  { folder, tree }: { folder: string; tree: string },
  call: Call,
): Promise<Ledger> {
  const differences = (to: string) => differencesBetween(git, { directory: root }, "HEAD", to, call)
  const [before, after] = await Promise.all([differences(tree), differences(treeAfter)])
  return withApply(await readLedger(folder), { owner, jobs, changedBy, before, after })
}

/**
 * First all that needs room on the disk, then what needs none.
 * @param written is told each file before it is
 */
async function writeAll(
  { folder, fresh }: Places,
  { root }: Journal,
  staged: readonly Staged[],
  written: Set<Name>,
): Promise<void> {
  for (const [index, { name, before, after, beside }] of staged.entries()) {
    if (after.type !== "none") await copyEntry(newCopy(fresh, name), pathOf(root, beside))
    // git knows only whether a file is to run: what the user has closed to others stays closed.
    if (before.type === "file" && after.type === "file")
      await keepAccess(oldCopy(folder, index), pathOf(root, beside))
  }
  for (const { name, after, beside, stamp } of staged) {
    if ((await stampIn(root, name)) !== stamp) throw haveChanged([name])
    written.add(name)
    if (after.type === "none") {
      await removeEntry(root, name)
      await removeEmptied(root, name)
    } else {
      await makeFolders(root, name)
      await moveEntry(root, beside, name)
    }
  }
}

/** git writes the files, so that its filters and line ends are those of a checkout. */
async function stageNew(git: Git, where: Tree, { after, changes }: Plan, fresh: string, call: Call) {
  // Here, unlike in a worktree, large files are needed themselves.
  const env = { ...call.env, GIT_INDEX_FILE: join(fresh, "index"), GIT_LFS_SKIP_SMUDGE: "0" }
  const limited = { limitMs: fileLimitMs, ...call, env }
  await git(where, ["read-tree", "--no-sparse-checkout", after], limited)
  const names = changes.filter(({ isRemoved }) => !isRemoved).map(({ name }) => name)
  const args = ["checkout-index", "-z", "--stdin", "--quiet", `--prefix=${join(fresh, "new")}/`]
  await git(where, args, { ...limited, input: listed(names) })
}

/** What is removed comes first: it may be where something is written. */
async function stageOld(root: string, { changes }: Plan, { folder, fresh }: Places): Promise<Staged[]> {
  const id = randomUUID().slice(0, 8)
  const removed = changes.filter(({ isRemoved }) => isRemoved)
  const written = changes.filter(({ isRemoved }) => !isRemoved)
  const staged: Staged[] = []
  for (const [index, change] of [...removed, ...written].entries()) {
    const { name } = change
    const stamp = await stampIn(root, name)
    const isFile = (await contentIn(root, name)).type !== "none"
    if (isFile) await copyEntry(pathOf(root, name), oldCopy(folder, index))
    const before = isFile ? await contentAt(oldCopy(folder, index)) : none
    const beside = `${await folderThere(root, name)}.troupe-${id}-${index}`
    staged.push({ name, before, after: await newContent(fresh, change), beside, stamp })
  }
  return staged
}

async function newContent(fresh: string, { name, isRemoved }: Change) {
  return isRemoved ? none : contentAt(newCopy(fresh, name))
}

const newCopy = (fresh: string, name: Name): Buffer => pathOf(join(fresh, "new"), name)

/** The innermost folder on the way to a file that exists, with its slash. */
async function folderThere(root: string, name: Name): Promise<string> {
  for (const folder of foldersOf(name).reverse()) {
    if (await hasRealFolders(root, `${folder}/`)) return `${folder}/`
  }
  return ""
}

async function foldersToMake(root: string, { changes }: Plan): Promise<Name[]> {
  const written = changes.filter(({ isRemoved }) => !isRemoved)
  const folders = [...new Set(written.flatMap(({ name }) => foldersOf(name)))]
  const isThere = await Promise.all(folders.map((folder) => hasRealFolders(root, `${folder}/`)))
  return folders.filter((_, index) => !isThere[index])
}

/** Somebody has changed what was written before that failed. */
function notPutBack(cause: unknown, names: readonly Name[]): WorktreeError {
  const { kind, what, todo } = fileFailure(cause)
  return new WorktreeError(
    kind,
    `${what}; what was written until then has been taken back, but for files that somebody has changed since: ` +
      someNames(names),
    `see with git status and git diff whether they are as you want them, then ${todo}`,
  )
}

const notTakenBack = (cause: unknown) => (error: unknown) => {
  const { kind, what } = fileFailure(cause)
  const { what: why, todo } = fileFailure(error)
  throw new WorktreeError(kind, `${what}; what was written until then could not be taken back: ${why}`, todo)
}

const haveChanged = (names: readonly Name[]) =>
  new WorktreeError("changed", `files were changed meanwhile: ${someNames(names)}`, "apply again")
