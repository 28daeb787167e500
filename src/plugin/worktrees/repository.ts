import { realpath } from "node:fs/promises"
import { relative } from "node:path"
import { inWorktree } from "./changes.ts"
import { WorktreeError } from "./errors.ts"
import { isThere, isWithin, notOurs, rootOf } from "./folder.ts"
import type { Call, Git, Tree, Where } from "./git.ts"
import { knownWorktree } from "./whereabouts.ts"

/** Where an owner works, as git sees it. */
export type Repository = {
  /** The top of the working tree: the main one, or a linked one. */
  root: string
  /** The owner's own folder below it; "" where that is the top. */
  below: string
  /** From here on git is told where it is: what lies in the working tree may lead elsewhere by then. */
  where: Tree
  /** What all its worktrees share. It names the repository. */
  commonDir: string
  head: Commit
}

export type Commit = {
  id: string
  tree: string
  /** Seconds since 1970. */
  time: number
}

/**
 * An owner that is a job itself may work in a worktree: then not its `.git` tells what that belongs to, which a child
 * can write, but the note beside it.
 * @param folder of all worktrees, with its real path
 * @throws WorktreeError where no worktree can be made of what is there
 */
export async function repositoryAt(
  git: Git,
  { directory, folder }: { directory: string; folder: string },
  call: Call = {},
): Promise<Repository> {
  const here = await realpath(directory)
  return isWithin(folder, here)
    ? worktreeAt(git, rootOf(folder, here), here, call)
    : userTreeAt(git, here, call)
}

async function worktreeAt(git: Git, root: string, here: string, call: Call): Promise<Repository> {
  const made = await knownWorktree(git, root, call)
  if (!(await isThere(root))) throw notOurs(root)
  const where = inWorktree(made)
  const head = await commitAt(git, where, "HEAD", call)
  if (!head) throw noCommit(here)
  return { root, below: relative(root, here), where, commonDir: made.commonDir, head }
}

async function userTreeAt(git: Git, directory: string, call: Call): Promise<Repository> {
  const ask = (...args: string[]) => git({ directory }, ["rev-parse", ...args], call)
  // One answer each: a path may hold a line's end.
  const [bare, inTree] = (await ask("--is-bare-repository", "--is-inside-work-tree")).text.split("\n")
  if (inTree !== "true") throw bare === "true" ? isBare(directory) : noWorkingTree(directory)
  const [root, gitDir, commonDir, head] = await Promise.all([
    ask("--show-toplevel").then(({ text }) => realpath(text)),
    ask("--absolute-git-dir").then(({ text }) => realpath(text)),
    ask("--path-format=absolute", "--git-common-dir").then(({ text }) => realpath(text)),
    commitAt(git, { directory }, "HEAD", call),
  ])
  if (!head) throw noCommit(directory)
  return { root, below: relative(root, directory), where: { gitDir, workTree: root }, commonDir, head }
}

/** Nothing where there is no such commit. */
export async function commitAt(
  git: Git,
  where: Where,
  revision: string,
  call: Call = {},
): Promise<Commit | undefined> {
  const args = ["log", "-1", "--no-show-signature", "--format=%H %T %ct", "--end-of-options", revision, "--"]
  const { code, text } = await git(where, args, { ...call, codes: [0, 128] })
  const [id, tree, time] = text.split(" ")
  if (code !== 0 || id === undefined || tree === undefined) return undefined
  return { id, tree, time: Number(time) }
}

const isBare = (directory: string) =>
  new WorktreeError(
    "bare",
    `${directory} is a bare repository, which has no files to work on`,
    "start opencode in a working tree of it",
  )

const noWorkingTree = (directory: string) =>
  new WorktreeError(
    "noRepository",
    `${directory} is in no working tree of git`,
    "start opencode in a working tree, or leave out the isolation",
  )

const noCommit = (directory: string) =>
  new WorktreeError(
    "noCommit",
    `the repository of ${directory} has no commit yet`,
    "commit something first: a worktree starts from a commit",
  )
