import { changedNames } from "./changes.ts"
import { WorktreeError } from "./errors.ts"
import { hasChanged, notOurs } from "./folder.ts"
import type { Call, Git } from "./git.ts"
import { type Holdings, holdingsOf } from "./holdings.ts"
import { shownName } from "./names.ts"
import { type Made, readNote } from "./note.ts"
import { removeRest, removeWorktree } from "./removal.ts"
import { requireOwn } from "./standing.ts"
import { inTurn } from "./turns.ts"
import { knownWorktree } from "./whereabouts.ts"

export type Discard = {
  branch: string
  /** The working tree of its owner. */
  project: string
  /** That the job has changed, committed or not. */
  files: string[]
  /** What would be lost. A commit can be restored by its id while git keeps it. */
  loss: Holdings
  /**
   * Removes the worktree and its branch.
   * @throws WorktreeError, `changed` where more would be lost by now than was said, `gone` where another was quicker
   */
  remove(call?: Call): Promise<void>
}

type Whose = { root: string; owner: string }

/**
 * What removing a worktree would lose, and the means to do it.
 * @param owner whose it must be
 * @throws WorktreeError, `notOurs` where it is no worktree of a job, or another owner's
 */
export async function prepareDiscard(git: Git, { root, owner }: Whose, call: Call = {}): Promise<Discard> {
  // Another one may just be removing it.
  return inTurn(
    root,
    async () => (await begun(git, { root, owner })) ?? looked(git, { root, owner }, call),
    call,
  )
}

async function looked(git: Git, { root, owner }: Whose, call: Call): Promise<Discard> {
  const { made, loss, names } = await lookAt(git, { root, owner }, call)
  return {
    branch: made.branch,
    project: made.project,
    files: names.map(shownName),
    loss,
    remove: (call) =>
      inTurn(
        root,
        async () => {
          await requireSame(made)
          const [held] = await Promise.all([holdingsOf(git, made, call), requireOwn(git, made, call)])
          if (JSON.stringify(held) !== JSON.stringify(loss)) throw hasChanged(root)
          await removeWorktree(git, root, made, loss.commit)
        },
        call,
      ),
  }
}

/** Of one that was being discarded when a process ended: what would be lost has been said. */
async function begun(git: Git, { root, owner }: Whose): Promise<Discard | undefined> {
  const note = await readNote(root)
  if (note?.state !== "removing" || note.owner !== owner) return undefined
  const { branch, project, madeAt } = note
  return {
    branch,
    project,
    files: [],
    loss: { commits: 0, files: 0, uncommitted: [], repositories: [], ignored: [] },
    remove: (call) =>
      inTurn(
        root,
        async () => {
          await requireSame({ root, madeAt })
          await removeRest(git, root, note)
        },
        call,
      ),
  }
}

async function lookAt(git: Git, { root, owner }: Whose, call: Call) {
  const made = await knownWorktree(git, root, { ...call, states: ["made", "moving"] })
  if (made.owner !== owner) throw notOurs(root)
  await requireOwn(git, made, call)
  const [loss, names] = await Promise.all([holdingsOf(git, made, call), changedNames(git, made, call)])
  return { made, loss, names }
}

/** By now it may have been removed, and another one made under its name. */
async function requireSame({ root, madeAt }: Pick<Made, "root" | "madeAt">): Promise<void> {
  const note = await readNote(root)
  if (!note) throw new WorktreeError("gone", `${root} has just been removed`, "there is nothing left to do")
  if (note.madeAt !== madeAt) throw hasChanged(root)
}
