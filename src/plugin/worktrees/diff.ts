import { dirname } from "node:path"
import { tipOf } from "./branch.ts"
import { inWorktree, startOf } from "./changes.ts"
import { isThere, notOurs } from "./folder.ts"
import type { Call, Git, Where } from "./git.ts"
import { listed, type Name, namesIn, shownName } from "./names.ts"
import type { Made } from "./note.ts"
import { withIndexCopy } from "./scratch.ts"
import { untrack } from "./working-tree.ts"

/** What a job has changed in one file. */
export type FileDiff = {
  /** Below the repository's root; of a renamed file its new name. */
  path: string
  /** Lines; absent for a file that is not text, or is too large to be compared. */
  insertions?: number
  deletions?: number
  /** As git writes it, for people. Absent where there was no more room for it. */
  diff?: string
}

/** Bytes of all diffs together: somebody looks at them. */
const mostDiffs = 8 * 2 ** 20
/** Milliseconds: somebody waits. */
const limitMs = 30_000

/**
 * Neither tools nor converters have a part in it, nor what a person or the child has set for how git shows things. A
 * larger file is not compared line by line.
 */
const settings = [
  "core.quotePath=true",
  "core.bigFileThreshold=1m",
  "diff.autoRefreshIndex=true",
  "diff.orderFile=/dev/null",
]
const options = [
  ...["--raw", "--numstat", "-p", "--unified=3", "-M"],
  ...["--no-ext-diff", "--no-textconv", "--no-color", "--no-relative"],
  ...["--ignore-submodules=all", "--submodule=short"],
  ...["--src-prefix=a/", "--dst-prefix=b/"],
]

/**
 * All that differs from where the job started, committed or not, as its worktree is now. Nothing of the worktree
 * changes for it; once that is gone, its branch tells.
 */
export async function diffsOf(git: Git, made: Made, call: Call = {}): Promise<FileDiff[]> {
  const limited = { limitMs, ...call }
  const { tree } = await startOf(git, made, call)
  if (!(await isThere(made.root))) {
    const store = { store: made.commonDir }
    const tip = await tipOf(git, store, made.branch, call)
    if (tip === undefined) throw notOurs(made.root)
    return diffs(git, store, [tree, tip], limited)
  }
  const where = inWorktree(made)
  return withIndexCopy(dirname(made.root), made.gitDir, limited, async (withCopy) => {
    await trackAll(git, where, withCopy)
    return diffs(git, where, [tree], withCopy)
  })
}

/** New files are compared as well, without being stored; so are those that a merge has left in conflict. */
async function trackAll(git: Git, where: Where, call: Call): Promise<void> {
  const unmerged = namesIn((await git(where, ["ls-files", "--unmerged", "-z"], call)).stdout)
  const names = [...new Set(unmerged.map((entry) => entry.slice(entry.indexOf("\t") + 1)))]
  await untrack(git, where, names, call)
  const others = namesIn(
    (await git(where, ["ls-files", "--others", "--exclude-standard", "-z"], call)).stdout,
  ).filter((name) => !name.endsWith("/"))
  if (others.length === 0) return
  await git(where, ["add", "--intent-to-add", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul"], {
    ...call,
    input: listed(others.map((name) => `:(top,literal)${name}`)),
  })
}

async function diffs(git: Git, where: Where, between: readonly string[], call: Call): Promise<FileDiff[]> {
  const args = ["diff", ...options, ...between, "--"]
  return read((await git(where, args, { ...call, settings, keepOnly: mostDiffs })).stdout)
}

/**
 * Reads what git lists first, a line for each file and then its numbers in the same order, and the diffs that follow,
 * each of which begins with the names as they are listed. A name with anything unusual in it is quoted: it can begin no
 * line.
 */
function read(output: Buffer): FileDiff[] {
  const text = output.toString("utf8")
  const start = text.startsWith("diff --git ") ? 0 : text.indexOf("\ndiff --git ") + 1
  const head = (start > 0 ? text.slice(0, start) : text).split("\n")
  const raw = head.filter((line) => line.startsWith(":"))
  const numbers = head.slice(raw.length)
  const sections = start > 0 ? sectionsIn(text.slice(start)) : new Map<string, string>()
  return raw.map((line, index) => {
    const [, before = "", after = before] = line.split("\t")
    const [insertions, deletions] = numbers[index]?.split("\t") ?? []
    const diff = sections.get(`diff --git ${within("a/", before)} ${within("b/", after)}`)
    return {
      path: shownName(unquoted(after)),
      ...(isCount(insertions) && { insertions: Number(insertions) }),
      ...(isCount(deletions) && { deletions: Number(deletions) }),
      ...(diff !== undefined && { diff }),
    }
  })
}

const isCount = (given: string | undefined) => given !== undefined && /^\d+$/.test(given)

/** By their first lines. A file that has become a link has two of one name: it was deleted, and made anew. */
function sectionsIn(text: string): Map<string, string> {
  const sections = new Map<string, string>()
  for (const section of text.split(/^(?=diff --git )/m)) {
    const title = section.slice(0, section.indexOf("\n"))
    sections.set(title, (sections.get(title) ?? "") + section)
  }
  return sections
}

/** A name as it is listed, below a prefix. */
const within = (prefix: string, name: string) =>
  name.startsWith('"') ? `"${prefix}${name.slice(1)}` : `${prefix}${name}`

/** What git writes for a byte, as in C. */
const escapes: Record<string, string> = {
  a: "\x07",
  b: "\b",
  t: "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
}

function unquoted(name: string): Name {
  if (!name.startsWith('"')) return name
  return name
    .slice(1, -1)
    .replace(/\\(?:([0-7]{3})|(.))/g, (_, octal?: string, letter = "") =>
      octal === undefined ? (escapes[letter] ?? letter) : String.fromCharCode(Number.parseInt(octal, 8)),
    )
}
