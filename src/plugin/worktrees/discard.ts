import { changedNames } from "./changes.ts"
import { WorktreeError } from "./errors.ts"
import { hasChanged, isThere, notOurs } from "./folder.ts"
import type { Call, Git } from "./git.ts"
import { type Holdings, holdingsOf } from "./holdings.ts"
import { namesIn, shownName } from "./names.ts"
import { type Made, readNote } from "./note.ts"
import { type Remains, removeWorktree } from "./removal.ts"
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
   * Removes the worktree and its branch; what is left of its files is in nobody's way.
   * @throws WorktreeError, `changed` where more would be lost by now than was said, `gone` where another was quicker
   */
  remove(call?: Call): Promise<Remains | undefined>
}

/**
 * What removing a worktree would lose, and the means to do it.
 * @param owner whose it must be
 * @throws WorktreeError, `notOurs` where it is no worktree of a job, or another owner's
 */
export async function prepareDiscard(
  git: Git,
  { root, owner }: { root: string; owner: string },
  call: Call = {},
): Promise<Discard> {
  // Another one may just be removing it.
  const { made, loss, names } = await inTurn(root, () => lookAt(git, { root, owner }, call), call)
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
          return removeWorktree(git, root, made, loss.commit)
        },
        call,
      ),
  }
}

async function lookAt(git: Git, { root, owner }: { root: string; owner: string }, call: Call) {
  const made = await knownWorktree(git, root, { ...call, states: ["made", "moving"] })
  if (made.owner !== owner) throw notOurs(root)
  await requireOwn(git, made, call)
  const [loss, names] = await Promise.all([holdingsOf(git, made, call), changedNames(git, made, call)])
  return { made, loss, names }
}

/** By now it may have been removed, and another one made under its name. */
async function requireSame({ root, madeAt }: Made): Promise<void> {
  const note = await readNote(root)
  if (!note) throw new WorktreeError("gone", `${root} has just been removed`, "there is nothing left to do")
  if (note.madeAt !== madeAt) throw hasChanged(root)
}

/** git itself must know this folder as a worktree, and nobody else may stand on its branch. */
export async function requireOwn(
  git: Git,
  { commonDir, root, branch }: Made,
  call: Call = {},
): Promise<void> {
  const { stdout } = await git({ store: commonDir }, ["worktree", "list", "--porcelain", "-z"], call)
  const worktrees = recordsIn(namesIn(stdout))
  const path = Buffer.from(`worktree ${root}`).toString("latin1")
  const isKnown = worktrees.some(([first]) => first === path)
  if (!isKnown && (await isThere(root))) throw notOurs(root)
  const other = worktrees.find(
    ([first, ...rest]) => first !== path && rest.includes(`branch refs/heads/${branch}`),
  )
  if (other) throw isElsewhere(branch, Buffer.from(other[0] ?? "", "latin1").toString("utf8"))
}

/** The first line of each tells where it is, the others what else is known of it; an empty one ends it. */
function recordsIn(lines: readonly string[]): string[][] {
  const records: string[][] = [[]]
  for (const line of lines) {
    if (line === "") records.push([])
    else records.at(-1)?.push(line)
  }
  return records
}

const isElsewhere = (branch: string, worktree: string) =>
  new WorktreeError(
    "locked",
    `the branch ${branch} is checked out elsewhere (${worktree})`,
    "switch to another branch there",
  )
