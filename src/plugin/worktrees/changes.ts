import { tipOf } from "./branch.ts"
import { isThere } from "./folder.ts"
import { type Call, fileLimitMs, type Git, type Tree, type Where } from "./git.ts"
import { type Name, namesIn, shownName } from "./names.ts"
import type { Made } from "./note.ts"

/** As `git diff --shortstat` counts. */
export type Numbers = { files: number; insertions: number; deletions: number }

export const inWorktree = ({ gitDir, root }: Made): Tree => ({ gitDir, workTree: root })

/** Neither tools nor converters of the repository's configuration have a part in it. */
const plain = ["--no-ext-diff", "--no-textconv", "--no-color"]

/**
 * Where a job has started. git may have thrown that commit away, once the child had moved its branch: then it is where
 * the branch has left the project's, or nothing at all.
 */
export async function startOf(git: Git, { commonDir, base, branch }: Made, call: Call = {}): Promise<Start> {
  const store = { store: commonDir }
  const ask = (args: string[]) => git(store, args, { ...call, codes: [0, 1, 128] })
  if ((await ask(["cat-file", "-e", `${base}^{commit}`])).code === 0) return { commit: base, tree: base }
  const fork = await ask(["merge-base", "HEAD", `refs/heads/${branch}`])
  if (fork.code === 0) return { commit: fork.text, tree: fork.text }
  return { tree: (await git(store, ["hash-object", "-t", "tree", "--stdin"], call)).text }
}

export type Start = {
  commit?: string
  /** Or a commit, whose tree it is. */
  tree: string
}

export async function numbersBetween(
  git: Git,
  where: Where,
  from: string,
  to: string,
  call: Call = {},
): Promise<Numbers> {
  const args = ["diff-tree", "-r", "-M", "--numstat", "-z", ...plain, from, to, "--"]
  const fields = namesIn((await git(where, args, { limitMs: fileLimitMs, ...call })).stdout)
  const numbers = { files: 0, insertions: 0, deletions: 0 }
  // `insertions<tab>deletions<tab>name`; where a file was renamed, both names follow as fields of their own.
  for (let index = 0; index < fields.length; index++) {
    const [insertions, deletions, ...name] = (fields[index] ?? "").split("\t")
    numbers.files++
    // A binary file has a dash for both.
    numbers.insertions += Number(insertions) || 0
    numbers.deletions += Number(deletions) || 0
    if (name.join("\t") === "") index += 2
  }
  return numbers
}

/** The files that differ between two commits; of a renamed one both names. */
export async function namesBetween(
  git: Git,
  where: Where,
  from: string,
  to: string,
  call: Call = {},
): Promise<Name[]> {
  const args = ["diff-tree", "-r", "--no-renames", "--name-only", "-z", ...plain, from, to, "--"]
  return namesIn((await git(where, args, { limitMs: fileLimitMs, ...call })).stdout)
}

const diffNames = ["diff", "--no-renames", "--name-only", "-z", "--ignore-submodules=all"]

/** What differs from where the job started, committed or not, as the worktree is now. Nothing is written. */
export async function changedNames(git: Git, made: Made, call: Call = {}): Promise<Name[]> {
  const where = inWorktree(made)
  if (!(await isThere(made.root))) {
    const tip = await tipOf(git, { store: made.commonDir }, made.branch, call)
    if (tip === undefined) return []
    return namesBetween(git, { store: made.commonDir }, (await startOf(git, made, call)).tree, tip, call)
  }
  const { tree } = await startOf(git, made, call)
  const limited = { limitMs: fileLimitMs, ...call }
  const [changed, untracked] = await Promise.all([
    git(where, [...diffNames, ...plain, tree, "--"], limited),
    git(where, ["ls-files", "--others", "--exclude-standard", "-z"], limited),
  ])
  return [...new Set([...namesIn(changed.stdout), ...namesIn(untracked.stdout)])].sort()
}

/** Files that other jobs have changed too. */
export type Overlap = { job: string; files: string[] }

/** Names of one overlap that are told. */
const mostNames = 20

export function overlapsOf(
  files: readonly Name[],
  others: readonly { job: string; files: readonly Name[] }[],
): Overlap[] {
  const own = new Set(files)
  return others.flatMap(({ job, files }) => {
    const both = files.filter((name) => own.has(name)).slice(0, mostNames)
    return both.length > 0 ? [{ job, files: both.map(shownName) }] : []
  })
}
