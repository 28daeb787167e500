import { writeCommit } from "./commit.ts"
import { WorktreeError } from "./errors.ts"
import type { Call, Git } from "./git.ts"
import { type Name, shownName } from "./names.ts"
import type { Repository } from "./repository.ts"
import { withScratch } from "./scratch.ts"
import { isUnmerged, someNames, statusOf, treeOf } from "./working-tree.ts"

/** An owner's working tree at one moment. */
export type Snapshot = {
  /** HEAD, where nothing differs from it; else a commit on top of it, the same one each time. */
  commit: string
  tree: string
  /** Repositories within this one, which it does not track: they are not in the snapshot. */
  leftOut: string[]
}

/**
 * The owner's HEAD with all that is changed and untracked (not ignored). Nothing of the owner's changes for it, except
 * that git's store gains objects.
 * @param folder for what is needed meanwhile
 * @throws WorktreeError where something would be missing from it
 */
export async function snapshotOf(
  git: Git,
  { where, head }: Repository,
  folder: string,
  call: Call = {},
): Promise<Snapshot> {
  const status = await statusOf(git, where, call)
  if (status.unmerged.length > 0) throw isUnmerged(status.unmerged)
  if (status.links.length > 0) throw hasSubmodules(status.links)
  const leftOut = status.nested.map(shownName)
  if (status.changed.length === 0) return { commit: head.id, tree: head.tree, leftOut }
  const { tree } = await withScratch(folder, (scratch) => treeOf(git, where, { scratch, status }, call))
  if (tree === head.tree) return { commit: head.id, tree, leftOut }
  const message = "What was not committed when an agent's worktree was made"
  // With the time of HEAD, all that start from the same files start from the same commit.
  const commit = await writeCommit(git, where, { tree, parents: [head.id], message, time: head.time }, call)
  return { commit, tree, leftOut }
}

const hasSubmodules = (names: readonly Name[]) =>
  new WorktreeError(
    "submodules",
    `the repository has submodules, which a worktree does not contain: ${someNames(names)}`,
    "leave out the isolation, or work in a repository without them",
  )
