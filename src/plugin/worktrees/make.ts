import { lstat, mkdir, realpath } from "node:fs/promises"
import { isAbsolute, join, relative } from "node:path"
import { branchOf, namePart, ownerPart, tipOf } from "./branch.ts"
import { checkoutSettings } from "./checkout.ts"
import { worktreesCommand } from "./command.ts"
import { foreignConfiguration, isForeign, originOf } from "./configuration.ts"
import { WorktreeError } from "./errors.ts"
import { findFolder, folderOf, makeFolder } from "./folder.ts"
import { type Call, fileLimitMs, type Git } from "./git.ts"
import { lives, thisProcess } from "./inhabitants.ts"
import { withLock } from "./lock.ts"
import { claimNote, type Made, madeNote, type Note, readNote, writeNote } from "./note.ts"
import { removeWorktree } from "./removal.ts"
import { type Repository, repositoryAt } from "./repository.ts"
import { snapshotOf } from "./snapshot.ts"
import { inTurn } from "./turns.ts"

export type MakeRequest = {
  /** Where the owner works. */
  directory: string
  /** The session that owns the job. */
  owner: string
  job: string
  /** What the job is for. */
  description?: string | undefined
  signal?: AbortSignal | undefined
}

export type MadeWorktree = {
  /** Where the child works: in the worktree, as deep as the owner is in its own. */
  directory: string
  branch: string
  base: string
}

/** How many names are tried. */
const mostNames = 100

/**
 * Makes a worktree on a branch of its own, with all that is in the owner's: changed and untracked files too. What git
 * does not look into stays behind: files that it ignores, and repositories that lie within.
 * @throws WorktreeError, and nothing is left behind then
 */
export async function makeWorktree(
  git: Git,
  folder: string,
  { directory, owner, job, description, signal }: MakeRequest,
): Promise<MadeWorktree> {
  const call = { signal }
  const repository = await repositoryAt(git, { directory, folder: await findFolder(folder) }, call)
  const ours = folderOf(await makeFolder(folder), repository.commonDir)
  await mkdir(ours, { recursive: true, mode: 0o700 })
  const { commit: base } = await snapshotOf(git, repository, ours, call)
  const origin = await originFor(git, folder, repository, base, call)
  const note: Omit<Note, "branch"> = {
    state: "making",
    owner,
    job,
    ...(description !== undefined && { description }),
    commonDir: repository.commonDir,
    project: repository.root,
    base,
    ...(origin !== undefined && { origin }),
    madeAt: Date.now(),
    ...(await thisProcess()),
  }
  const { root, branch } = await claim(git, ours, note)
  try {
    const args = ["worktree", "add", "--quiet", "--no-track", "-b", branch, root, base]
    const settings = await checkoutSettings(git, repository.where, call)
    // git reads the others as it adds one, and fails on what another git has not written yet.
    await withLock(
      join(ours, "adding"),
      () => git(repository.where, args, { ...call, settings, limitMs: fileLimitMs }),
      { waitMs: fileLimitMs, signal },
    )
    const { text } = await git({ directory: root }, ["rev-parse", "--absolute-git-dir"], call)
    const child = join(root, repository.below)
    await mkdir(child, { recursive: true })
    await writeNote(root, { ...note, branch, state: "made", gitDir: await realpath(text) })
    return { directory: child, branch, base }
  } catch (error) {
    await removeWorktree(git, root, { ...note, branch }, base).catch(() => {})
    throw error
  }
}

/**
 * What was the user's own before any job, where the owner is a job in a worktree itself.
 * @throws WorktreeError where that job has changed what opencode would run
 */
async function originFor(
  git: Git,
  folder: string,
  { root, below }: Repository,
  commit: string,
  call: Call,
): Promise<string | undefined> {
  const made = await ownersNote(await realpath(folder), root)
  if (!made) return undefined
  const names = await foreignConfiguration(git, made, { directory: join(root, below), commit }, call)
  if (names.length > 0) throw isForeign(made.job, names)
  return originOf(made)
}

/** That of the worktree in which the owner works; nothing where that is none of a job. */
async function ownersNote(folder: string, root: string): Promise<Made | undefined> {
  const path = relative(folder, root)
  return path.startsWith("..") || isAbsolute(path) ? undefined : madeNote(root)
}

/** A name that nobody has: neither a worktree, nor a branch, nor a folder. */
async function claim(
  git: Git,
  folder: string,
  note: Omit<Note, "branch">,
): Promise<{ root: string; branch: string }> {
  for (let attempt = 1; attempt <= mostNames; attempt++) {
    const name = attempt === 1 ? namePart(note.job) : `${namePart(note.job)}-${attempt}`
    const branch = branchOf(note.owner, name)
    const root = join(folder, `${ownerPart(note.owner)}-${name}`)
    await removeHalfMade(git, root)
    if ((await isTaken(root)) || (await tipOf(git, { store: note.commonDir }, branch))) continue
    // Whoever tidied a moment ago found nothing in it.
    await mkdir(folder, { recursive: true, mode: 0o700 })
    if (await claimNote(root, { ...note, branch })) return { root, branch }
  }
  throw new WorktreeError(
    "failed",
    `${mostNames} worktrees of a job "${note.job}" exist`,
    `apply or discard some of them: ${worktreesCommand}`,
  )
}

const isTaken = (root: string) => lstat(root).then(Boolean, () => false)

/** What a process that was killed while it made a worktree has left. Nobody has been in there. */
async function removeHalfMade(git: Git, root: string): Promise<void> {
  const halfMade = async () => {
    const note = await readNote(root)
    return note?.state === "making" && !(await lives(note)) ? note : undefined
  }
  if (!(await halfMade())) return
  await inTurn(root, async () => {
    const note = await halfMade()
    if (note) await removeWorktree(git, root, note, note.base)
  }).catch(() => {})
}
