import { lstat, readFile, realpath, rm } from "node:fs/promises"
import { join, posix, relative, resolve, sep } from "node:path"
import { inWorktree, namesBetween } from "./changes.ts"
import { codeOf, WorktreeError } from "./errors.ts"
import { type Call, fileLimitMs, type Git } from "./git.ts"
import { foldersOf, type Name, namesIn, pathOf } from "./names.ts"
import type { Made } from "./note.ts"
import { withScratch } from "./scratch.ts"
import { someNames } from "./working-tree.ts"

/** What opencode reads, and partly runs, of each folder from where it works up to the top of the working tree. */
const folder = ".opencode"
const read = [folder, "opencode.json", "opencode.jsonc"]

/**
 * Text for models, and plans of agents, which opencode neither runs nor obeys. It is by where a file is, not by its name
 * alone: `.opencode/agent/AGENTS.md` is an agent, and so is what lies in any folder below `agent`.
 */
const text =
  /^(?:(?!\.opencode\/)[^/]+\/)*\.opencode\/(?:(?:plans?|skills?)\/|(?:\.gitignore|(?:AGENTS|CLAUDE|CONTEXT)\.md)$)/i

/**
 * What opencode 1.18 installs in each `.opencode` as it loads it, for the plugins there, and installs again where it is
 * missing. It is ignored by git, and nobody can tell what of it a child has changed.
 */
const installed = ["node_modules", "package.json", "package-lock.json", "bun.lock", "bun.lockb"]

/** Whether opencode has put it there, of what git ignores: it also writes the `.gitignore` that says so. */
export const isInstalled = (ignored: Name): boolean => {
  const { dir, base } = posix.parse(ignored)
  return posix.basename(dir) === folder && [...installed, ".gitignore"].includes(base)
}

/** Bytes: more than any path has. */
const longestLead = 8_192

/** Links that lead to links are followed so far: some lead in circles. */
const mostPlaces = 200

/**
 * Which files of opencode's own configuration a worktree has that are not as its user had them: those of jobs, which
 * opencode would run, or obey, as soon as it loads that directory.
 * What opencode itself has installed there is removed first, where the files are looked at.
 * @param directory where opencode works, in the worktree
 * @param commit to look at in place of the files as they are
 */
export async function foreignConfiguration(
  git: Git,
  made: Made,
  { directory, commit }: { directory: string; commit?: string },
  call: Call = {},
): Promise<Name[]> {
  const origin = originOf(made)
  const places = await placesOf(git, made, directory, call)
  if (commit !== undefined) {
    const changed = await namesBetween(git, { store: made.commonDir }, origin, commit, call)
    return changed.filter((name) => places.some((place) => isIn(name, place)) && !text.test(name))
  }
  if (!(await isReal(directory))) return [nameOf(made.root, directory) || "."]
  const folders = foldersTo(made.root, directory)
  await removeInstalled(git, made, folders, call)
  const repositories = await foreignRepositories(made, folders)
  const changed = await changedOnDisk(git, made, places, call)
  return [...repositories, ...changed.filter((name) => !text.test(name))]
}

/** The commit that has the configuration as the user had it: no job has had a part in it. */
export const originOf = ({ origin, base }: Pick<Made, "origin" | "base">): string => origin ?? base

export const isForeign = (job: string, names: readonly Name[]) =>
  new WorktreeError(
    "configuration",
    `${job} has changed opencode's own configuration (${someNames(names)}), which opencode would run or obey as it ` +
      "loads that worktree",
    `look at it, apply ${job} yourself, restart opencode, and start a new job from your files`,
  )

/** A link in place of a folder has opencode work, and look for its configuration, in another one. */
const isReal = async (directory: string): Promise<boolean> => {
  const real = await realpath(directory).catch(() => directory)
  return real === directory
}

/**
 * Where git would look for its repository from where opencode works, and not find the user's: opencode asks git there,
 * which runs what the settings of a repository say.
 */
async function foreignRepositories({ root, gitDir }: Made, folders: readonly Name[]): Promise<Name[]> {
  const names = folders.map((folder) => posix.join(folder, ".git"))
  const isOwn = await Promise.all(
    names.map((name) => (name === ".git" ? leadsTo(root, gitDir) : isNothing(pathOf(root, name)))),
  )
  return names.filter((_, index) => !isOwn[index])
}

/** As git has made it: a small file that says where the worktree's repository is. */
async function leadsTo(root: string, gitDir: string): Promise<boolean> {
  const path = join(root, ".git")
  const found = await lstat(path).catch(() => undefined)
  if (!found?.isFile() || found.size > longestLead) return false
  const [, to] = /^gitdir: (.*)\n?$/.exec(await readFile(path, "utf8")) ?? []
  return to !== undefined && (await realpath(resolve(root, to)).catch(() => undefined)) === gitDir
}

const isNothing = (path: Buffer) =>
  lstat(path).then(
    () => false,
    (error) => codeOf(error) === "ENOENT",
  )

/** From the top, which is "", down to where opencode works. */
function foldersTo(root: string, directory: string): Name[] {
  const name = nameOf(root, directory)
  return name === "" ? [""] : ["", ...foldersOf(`${name}/`)]
}

/** Never through a link, which leads to what is somebody else's. */
async function removeInstalled(git: Git, made: Made, folders: readonly Name[], call: Call): Promise<void> {
  for (const each of folders) {
    const place = posix.join(each, folder)
    const found = await lstat(pathOf(made.root, place)).catch(() => undefined)
    if (!found?.isDirectory()) continue
    const args = ["ls-tree", "--name-only", "-z", "--full-tree", `${originOf(made)}:${place}`]
    const { stdout } = await git({ store: made.commonDir }, args, { ...call, codes: [0, 128] })
    const own = namesIn(stdout)
    for (const name of installed.filter((name) => !own.includes(name)))
      await rm(pathOf(made.root, posix.join(place, name)), { recursive: true, force: true })
  }
}

/** Where it looks, and where links there lead that are the user's own. */
async function placesOf(git: Git, made: Made, directory: string, call: Call): Promise<Name[]> {
  const places = foldersTo(made.root, directory).flatMap((each) => read.map((name) => posix.join(each, name)))
  const links = await linksIn(git, made, call)
  const targets = new Map<string, string>()
  // One that is found may lead on.
  for (const place of places) {
    for (const [name, id] of links) {
      if ((!isIn(name, place) && !isIn(place, name)) || places.length > mostPlaces) continue
      const target = targets.get(id) ?? (await textOf(git, made, id, call))
      targets.set(id, target)
      const end = isIn(place, name) ? place.slice(name.length) : ""
      const led = posix.join(posix.dirname(name), target, end)
      // One that leads out by its steps is a place that git finds nothing in.
      if (!target.startsWith("/") && !places.some((each) => isIn(led, each))) places.push(led)
    }
  }
  return places
}

async function textOf(git: Git, { commonDir }: Made, blob: string, call: Call): Promise<string> {
  const { stdout } = await git({ store: commonDir }, ["cat-file", "blob", blob], call)
  return stdout.toString("latin1")
}

/** The user's own, with the blob that says where each leads. */
async function linksIn(git: Git, made: Made, call: Call): Promise<[Name, string][]> {
  const args = ["ls-tree", "-r", "-z", "--full-tree", originOf(made)]
  const { stdout } = await git({ store: made.commonDir }, args, { limitMs: fileLimitMs, ...call })
  // `<mode> <type> <id><tab><name>`
  return namesIn(stdout)
    .filter((entry) => entry.startsWith("120000 "))
    .map((entry) => {
      const tab = entry.indexOf("\t")
      return [entry.slice(tab + 1), entry.slice(0, tab).split(" ")[2] ?? ""]
    })
}

/** Ignored ones too. Nothing that a child can write has a part in which files are looked at. */
async function changedOnDisk(git: Git, made: Made, places: readonly Name[], call: Call): Promise<Name[]> {
  const where = inWorktree(made)
  return withScratch(posix.dirname(made.root), async (scratch) => {
    const limited = { limitMs: fileLimitMs, ...call }
    const withIndex = { ...limited, env: { ...call.env, GIT_INDEX_FILE: join(scratch, "index") } }
    await git(where, ["read-tree", originOf(made)], withIndex)
    // Where file names know no case, opencode finds a folder by any.
    const paths = places.map((place) => `:(top,icase,literal)${place === "." ? "" : place}`)
    const differ = [
      "-c",
      "diff.autoRefreshIndex=true",
      "diff",
      "--no-renames",
      "--name-only",
      "-z",
      "--no-ext-diff",
      "--no-textconv",
    ]
    const [changed, others] = await Promise.all([
      git(where, [...differ, "--", ...paths], withIndex),
      git(where, ["ls-files", "--others", "-z", "--", ...paths], withIndex),
    ])
    return [...new Set([...namesIn(changed.stdout), ...namesIn(others.stdout)])].sort()
  })
}

const nameOf = (root: string, path: string): Name =>
  Buffer.from(relative(root, path).split(sep).join("/"), "utf8").toString("latin1")

/** A link may lead to the top itself, which is ".". */
const isIn = (name: Name, place: Name) =>
  place === "." || `${name.toLowerCase()}/`.startsWith(`${place.toLowerCase()}/`)
