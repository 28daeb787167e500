import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { tipOf } from "./branch.ts"
import { changedNames, inWorktree } from "./changes.ts"
import { checkoutSettings } from "./checkout.ts"
import { originOf } from "./configuration.ts"
import { WorktreeError } from "./errors.ts"
import { type Call, fileLimitMs, type Git } from "./git.ts"
import { writeNote } from "./note.ts"
import { commitAt } from "./repository.ts"
import { knownWorktree } from "./whereabouts.ts"
import { someNames } from "./working-tree.ts"

/**
 * Has a worktree start from another commit: that of a job which its own goes on from. Only while nobody has worked in
 * it. The same call again finishes what a crash has interrupted.
 * @param directory where the child works, which must be there afterwards too
 * @param origin that of the job which made the commit
 */
export async function startFrom(
  git: Git,
  { root, directory, commit, origin }: { root: string; directory: string; commit: string; origin?: string },
  call: Call = {},
): Promise<{ base: string }> {
  const made = await knownWorktree(git, root, { ...call, states: ["made", "moving"] })
  const where = inWorktree(made)
  const start = await commitAt(git, where, commit, call)
  if (!start) {
    throw new WorktreeError(
      "gone",
      `there is no commit ${commit} in ${made.commonDir}`,
      "start from another job",
    )
  }
  if (made.state === "made" && made.base === start.id) return { base: start.id }
  if (made.state === "made") {
    const tip = await tipOf(git, where, made.branch, call)
    const changed = await changedNames(git, made, call)
    if (tip !== made.base || changed.length > 0) throw isUsed(root, changed)
  }
  // That of a git which was killed in the middle of the same.
  else await rm(join(made.gitDir, "index.lock"), { force: true })
  const { root: _, ...rest } = made
  const note = { ...rest, origin: origin ?? originOf(made) }
  await writeNote(root, { ...note, state: "moving", base: start.id })
  const settings = await checkoutSettings(git, where, call)
  await git(where, ["reset", "--quiet", "--hard", start.id], { limitMs: fileLimitMs, ...call, settings })
  await mkdir(directory, { recursive: true })
  await writeNote(root, { ...note, state: "made", base: start.id })
  return { base: start.id }
}

const isUsed = (root: string, changed: string[]) =>
  new WorktreeError(
    "changed",
    `somebody has worked in ${root} already${changed.length > 0 ? `: ${someNames(changed)}` : ""}`,
    "start the job again",
  )
