import { randomUUID } from "node:crypto"
import { readFile, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { tipOf } from "./branch.ts"
import { inWorktree, type Numbers, numbersBetween, startOf } from "./changes.ts"
import { writeCommit } from "./commit.ts"
import { WorktreeError } from "./errors.ts"
import { isThere } from "./folder.ts"
import type { Call, Git, Where } from "./git.ts"
import type { Made } from "./note.ts"
import { commitAt } from "./repository.ts"
import { copyIndex, withScratch } from "./scratch.ts"
import { statusOf, treeOf } from "./working-tree.ts"

export type Sealed = Numbers & {
  /** The end of the job's branch, with all that its worktree holds. */
  commit: string
}

/** What git keeps of a merge, a rebase or the like that is under way. */
const underWay = [
  ...[
    "MERGE_HEAD",
    "MERGE_MODE",
    "MERGE_AUTOSTASH",
    "MERGE_MSG",
    "AUTO_MERGE",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "SQUASH_MSG",
  ],
  ...["rebase-merge", "rebase-apply", "sequencer"],
]

/**
 * Commits what the child has not committed, on the job's branch, and has the worktree stand on that branch. A commit
 * that the child made elsewhere, detached or on a branch of its own, becomes part of it. What repositories hold that the
 * child has made is in no commit, only in the worktree. The same again changes nothing.
 */
export async function sealWorktree(git: Git, made: Made, message: string, call: Call = {}): Promise<Sealed> {
  const where = inWorktree(made)
  const store = { store: made.commonDir }
  if (!(await isThere(made.root))) return sealedWithoutFiles(git, made, call)
  const [tip, status] = await Promise.all([tipOf(git, store, made.branch, call), statusOf(git, where, call)])
  const commit = await withScratch(dirname(made.root), async (scratch) => {
    const { tree, index: copy } = await treeOf(git, where, { scratch, status }, call)
    const end = await endOf(git, made, { tree, tip, message }, call)
    await moveBranch(git, made, tip, end.id, call)
    if (end.tree === tree) await settle(git, made, copy, call)
    return end.id
  })
  const { tree: start } = await startOf(git, made, call)
  return { commit, ...(await numbersBetween(git, store, start, commit, call)) }
}

/** Somebody has removed the worktree: what is on its branch is all there is. */
async function sealedWithoutFiles(git: Git, made: Made, call: Call): Promise<Sealed> {
  const { root, branch, commonDir } = made
  const tip = await tipOf(git, { store: commonDir }, branch, call)
  if (tip === undefined) {
    throw new WorktreeError(
      "gone",
      `neither ${root} nor its branch ${branch} exist any more`,
      "start the job again",
    )
  }
  const { tree } = await startOf(git, made, call)
  return { commit: tip, ...(await numbersBetween(git, { store: commonDir }, tree, tip, call)) }
}

/** The commit that the branch is to end with. */
async function endOf(
  git: Git,
  made: Made,
  { tree, tip, message }: { tree: string; tip: string | undefined; message: string },
  call: Call,
): Promise<{ id: string; tree: string }> {
  const where = inWorktree(made)
  const head = await commitAt(git, where, "HEAD", call)
  const latest = await independent(git, where, [tip, head?.id, ...(await aside(git, made, call))], call)
  const parents = latest.length > 0 ? latest : [made.base]
  const [only, ...others] = parents
  const last = others.length === 0 && only !== undefined ? await commitAt(git, where, only, call) : undefined
  // A child that looks at an earlier commit, and has changed nothing there, has all of its work on its branch.
  const isAsCommitted = tree === last?.tree || (last?.id === tip && tree === head?.tree)
  if (last && isAsCommitted) return last
  return { id: await writeCommit(git, where, { tree, parents, message }, call), tree }
}

/** Commits to which nothing but a merge or a rebase under way leads. */
async function aside(git: Git, { gitDir, root }: Made, call: Call): Promise<string[]> {
  const noted = ["MERGE_HEAD", "MERGE_AUTOSTASH", "rebase-merge/autostash", "rebase-apply/autostash"]
  const texts = await Promise.all(noted.map((name) => readFile(join(gitDir, name), "utf8").catch(() => "")))
  const ids = texts.flatMap((text) => text.split("\n")).filter((line) => /^[0-9a-f]{40,64}$/.test(line))
  const commits = await Promise.all(ids.map((id) => commitAt(git, { gitDir, workTree: root }, id, call)))
  return commits.flatMap((commit) => (commit ? [commit.id] : []))
}

/** Those that no other one contains, in their order. */
async function independent(
  git: Git,
  where: Where,
  commits: (string | undefined)[],
  call: Call,
): Promise<string[]> {
  const given = [...new Set(commits.filter((each) => each !== undefined))]
  if (given.length < 2) return given
  const { text } = await git(where, ["merge-base", "--independent", ...given], call)
  const found = new Set(text.split("\n"))
  return given.filter((each) => found.has(each))
}

async function moveBranch(
  git: Git,
  { branch, commonDir }: Made,
  from: string | undefined,
  to: string,
  call: Call,
): Promise<void> {
  if (from === to) return
  const args = ["update-ref", "-m", "the end of the job", `refs/heads/${branch}`, to]
  // All zeros: it must not be there.
  await git({ store: commonDir }, [...args, from ?? "0".repeat(to.length)], call)
}

/** Has the worktree stand on its branch, with nothing under way and nothing changed, for whoever goes on in it. */
async function settle(git: Git, { root, gitDir, branch }: Made, index: string, call: Call): Promise<void> {
  await git({ gitDir, workTree: root }, ["symbolic-ref", "HEAD", `refs/heads/${branch}`], call)
  for (const name of underWay) await rm(join(gitDir, name), { recursive: true, force: true })
  const beside = join(gitDir, `index.${randomUUID()}`)
  try {
    await copyIndex(index, beside)
    await rename(beside, join(gitDir, "index"))
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}
