import { counted } from "../../util/counted.ts"
import { tipOf } from "./branch.ts"
import { inWorktree, numbersBetween, type Start, startOf } from "./changes.ts"
import { isInstalled } from "./configuration.ts"
import { isThere } from "./folder.ts"
import type { Call, Git, Where } from "./git.ts"
import { repositoriesBelow } from "./ignored.ts"
import { shownName } from "./names.ts"
import type { Made } from "./note.ts"
import { commitAt } from "./repository.ts"
import { statusOf } from "./working-tree.ts"

/** What would be gone with a worktree and its branch. */
export type Holdings = {
  /** The end of the branch; none where there is no such branch any more. */
  commit?: string
  /** On the branch, or where the worktree stands, since the job has started. */
  commits: number
  /** That these change. */
  files: number
  /** Changed or untracked, and in no commit. */
  uncommitted: string[]
  /** Repositories that the child has made in it. */
  repositories: string[]
  /**
   * What git ignores, but what opencode installs by itself: a worktree begins without anything of that. Folders, whose
   * names end with a slash, stand for all that is in them.
   */
  ignored: string[]
}

export async function holdingsOf(git: Git, made: Made, call: Call = {}): Promise<Holdings> {
  const store = { store: made.commonDir }
  const isHere = await isThere(made.root)
  const [tip, start, head, status] = await Promise.all([
    tipOf(git, store, made.branch, call),
    startOf(git, made, call),
    isHere ? commitAt(git, inWorktree(made), "HEAD", call) : undefined,
    isHere ? statusOf(git, inWorktree(made), { ...call, withIgnored: true }) : undefined,
  ])
  const ends = [...new Set([tip, head?.id])].filter((end) => end !== undefined)
  const ignored = (status?.ignored ?? []).filter((name) => !isInstalled(name))
  const below = await repositoriesBelow(made.root, ignored)
  return {
    ...(tip !== undefined && { commit: tip }),
    commits: ends.length > 0 ? await countSince(git, store, { start, ends }, call) : 0,
    files: tip === undefined ? 0 : (await numbersBetween(git, store, start.tree, tip, call)).files,
    uncommitted: (status?.changed ?? []).map(shownName),
    repositories: [...(status?.nested ?? []), ...below].map(shownName),
    ignored: ignored.filter((name) => !below.includes(name.slice(0, -1))).map(shownName),
  }
}

export const isClean = ({ commits, files, uncommitted, repositories, ignored }: Holdings): boolean =>
  commits === 0 && files === 0 && [uncommitted, repositories, ignored].every(({ length }) => length === 0)

async function countSince(
  git: Git,
  where: Where,
  { start, ends }: { start: Start; ends: string[] },
  call: Call,
): Promise<number> {
  const before = start.commit === undefined ? [] : [`^${start.commit}`]
  const { text } = await git(where, ["rev-list", "--count", ...ends, ...before], call)
  return Number(text)
}

/** What a worktree holds, for people. */
export function holdingsWords({ commits, files, uncommitted, repositories, ignored }: Holdings): string {
  return [
    ...(commits > 0 || files > 0
      ? [`${counted(commits, "commit")} with ${counted(files, "changed file")}`]
      : []),
    ...(uncommitted.length > 0 ? [counted(uncommitted.length, "uncommitted file")] : []),
    ...(repositories.length > 0 ? [counted(repositories.length, "repository", "repositories")] : []),
    ...(ignored.length > 0
      ? [counted(ignored.length, "ignored file or folder", "ignored files or folders")]
      : []),
  ].join(", ")
}
