import { join } from "node:path"
import { WorktreeError } from "./errors.ts"
import { type Call, fileLimitMs, type Git, type Where } from "./git.ts"
import { listed, type Name, namesIn, shownName } from "./names.ts"
import { copyIndex } from "./scratch.ts"

/** What differs from HEAD in a working tree. */
export type Status = {
  /** Tracked or not. */
  changed: Name[]
  unmerged: Name[]
  /** Repositories of their own that are not tracked. git can only note which commit they are at, not what they hold. */
  nested: Name[]
}

export async function statusOf(git: Git, where: Where, call: Call = {}): Promise<Status> {
  const args = ["status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"]
  const { stdout } = await git(where, args, { limitMs: fileLimitMs, ...call })
  const status: Status = { changed: [], unmerged: [], nested: [] }
  for (const entry of namesIn(stdout)) {
    const kind = entry.slice(0, 2)
    const name = kind === "? " ? entry.slice(2) : afterFields(entry, kind === "u " ? 10 : 8)
    if (kind === "? " && name.endsWith("/")) {
      status.nested.push(name.slice(0, -1))
    } else {
      status.changed.push(name)
      if (kind === "u ") status.unmerged.push(name)
    }
  }
  return status
}

/**
 * `1 <XY> <sub> <mH> <mI> <mW> <hH> <hI> <path>`, or
 * `u <XY> <sub> <m1> <m2> <m3> <mW> <h1> <h2> <h3> <path>`
 */
const afterFields = (entry: string, fields: number): Name => entry.split(" ").slice(fields).join(" ")

/**
 * The tree of all that is tracked or untracked, and not ignored, as it is now. The index is copied to `scratch` and
 * stays as it is, whoever has it locked.
 */
export async function treeOf(
  git: Git,
  where: Where,
  { index, scratch, nested }: { index: string; scratch: string; nested: readonly Name[] },
  call: Call = {},
): Promise<{ tree: string; index: string }> {
  const copy = join(scratch, "index")
  await copyIndex(index, copy)
  const withCopy = { ...call, env: { ...call.env, GIT_INDEX_FILE: copy } }
  const all = [":(top)", ...nested.map((name) => `:(top,exclude,literal)${name}`)]
  await git(where, ["add", "--all", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul"], {
    limitMs: fileLimitMs,
    ...withCopy,
    input: listed(all),
  })
  const { text } = await git(where, ["write-tree"], withCopy)
  return { tree: text, index: copy }
}

/** Names for people: a few, and how many more. */
export function someNames(names: readonly Name[], most = 5): string {
  const shown = names.slice(0, most).map((name) => JSON.stringify(shownName(name)))
  const more = names.length - shown.length
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "")
}

export const isUnmerged = (names: readonly Name[]) =>
  new WorktreeError(
    "unmerged",
    `files are in conflict: ${someNames(names)}`,
    "resolve the conflicts and git add the files, or abort the merge or rebase",
  )
