import { lstat } from "node:fs/promises"
import { join } from "node:path"
import { WorktreeError } from "./errors.ts"
import { type Call, fileLimitMs, type Git, type Tree, type Where } from "./git.ts"
import { listed, type Name, namesIn, pathOf, shownName } from "./names.ts"
import { copyIndex } from "./scratch.ts"

/** What differs from HEAD in a working tree. */
export type Status = {
  /** Tracked or not. */
  changed: Name[]
  unmerged: Name[]
  /**
   * Repositories of their own, also one that has taken the place of a file. git can only note which commit they are at,
   * not what they hold.
   */
  nested: Name[]
  /** What is tracked as such a repository: submodules, and what a child has added that way. It may not be there. */
  links: Name[]
  /** Only where that is asked for. Folders, whose names end with a slash, stand for all that is in them. */
  ignored: Name[]
}

/** git enters no repository for it that lies within: what that is set to would count there, whoever has made it. */
export async function statusOf(
  git: Git,
  where: Tree,
  { withIgnored = false, ...call }: Call & { withIgnored?: boolean } = {},
): Promise<Status> {
  const args = ["status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"]
  if (withIgnored) args.push("--ignored=matching")
  const limited = { limitMs: fileLimitMs, ...call }
  const [{ stdout }, links] = await Promise.all([
    git(where, [...args, "--ignore-submodules=all"], limited),
    linksIn(git, where, limited),
  ])
  const isRepository = await Promise.all(links.map((link) => hasGit(where.workTree, link)))
  const nested = links.filter((_, index) => isRepository[index])
  const status: Status = { changed: [], unmerged: [], nested, links, ignored: [] }
  for (const entry of namesIn(stdout)) {
    const kind = entry.slice(0, 2)
    const name = /^[?!] $/.test(kind) ? entry.slice(2) : afterFields(entry, kind === "u " ? 10 : 8)
    if (kind === "! ") status.ignored.push(name)
    else if (kind === "? " && name.endsWith("/")) status.nested.push(name.slice(0, -1))
    else status.changed.push(name)
    if (kind === "u ") status.unmerged.push(name)
    if (kind === "1 " && entry.split(" ")[5] === linkMode) status.nested.push(name)
  }
  return { ...status, nested: [...new Set(status.nested)] }
}

/**
 * `1 <XY> <sub> <mH> <mI> <mW> <hH> <hI> <path>`, or
 * `u <XY> <sub> <m1> <m2> <m3> <mW> <h1> <h2> <h3> <path>`
 */
const afterFields = (entry: string, fields: number): Name => entry.split(" ").slice(fields).join(" ")

/** How git notes that a repository is in a place. */
export const linkMode = "160000"

async function linksIn(git: Git, where: Where, call: Call): Promise<Name[]> {
  const { stdout } = await git(where, ["ls-files", "--stage", "-z"], call)
  if (!stdout.includes(`${linkMode} `)) return []
  const entries = namesIn(stdout).filter((entry) => entry.startsWith(`${linkMode} `))
  return [...new Set(entries.map((entry) => entry.slice(entry.indexOf("\t") + 1)))]
}

export const hasGit = (root: string, name: Name): Promise<boolean> =>
  lstat(pathOf(root, `${name}/.git`)).then(
    () => true,
    () => false,
  )

/**
 * The tree of all that is tracked or untracked, and not ignored, as it is now, without the repositories that lie within:
 * where git has noted one, it enters that later on. The index is copied to `scratch` and stays as it is, whoever has it
 * locked.
 */
export async function treeOf(
  git: Git,
  where: Tree,
  { scratch, status: { nested, links } }: { scratch: string; status: Status },
  call: Call = {},
): Promise<{ tree: string; index: string }> {
  const copy = join(scratch, "index")
  await copyIndex(join(where.gitDir, "index"), copy)
  const withCopy = { ...call, env: { ...call.env, GIT_INDEX_FILE: copy } }
  await untrack(git, where, [...links, ...nested], withCopy)
  const all = [":(top)", ...nested.map((name) => `:(top,exclude,literal)${name}`)]
  await git(where, ["add", "--all", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul"], {
    limitMs: fileLimitMs,
    ...withCopy,
    input: listed(all),
  })
  // What has become one since they were looked for.
  await untrack(git, where, await linksIn(git, where, withCopy), withCopy)
  const { text } = await git(where, ["write-tree"], withCopy)
  return { tree: text, index: copy }
}

/** Takes files out of an index, whether they are there or not. */
export async function untrack(git: Git, where: Where, names: readonly Name[], call: Call): Promise<void> {
  if (names.length === 0) return
  await git(where, ["update-index", "--force-remove", "-z", "--stdin"], { ...call, input: listed(names) })
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
