import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"
import { eachLimited } from "../util/each-limited.ts"
import { codeOf, fileFailure } from "./errors.ts"
import { isThere } from "./folder.ts"
import { type Call, type Git, lookLimitMs } from "./git.ts"
import { type Holdings, holdingsOf, isClean } from "./holdings.ts"
import { lives, processesIn } from "./inhabitants.ts"
import { type Note, readNote } from "./note.ts"
import { knownWorktree } from "./whereabouts.ts"

/** `unreadable`: git cannot say what it holds, for example because the repository is gone. */
export type WorktreeState =
  | { type: "clean" }
  | { type: "holding"; holdings: Holdings }
  | { type: "halfMade" }
  | { type: "unreadable"; why: string }

export type Listed = {
  directory: string
  owner: string
  job: string
  /** The owner's working tree. */
  project: string
  branch: string
  base: string
  /** Milliseconds since 1970. */
  madeAt: number
  bytes: number
  state: WorktreeState
  /** Those that are in it, where the system tells. */
  processes: number[]
  /** The process that has made it, or has entered it since, where it still runs: its job may be under way. */
  maker?: number
}

export type List = {
  /** The oldest first. */
  worktrees: Listed[]
  /** What is among them and is none. */
  unknown: string[]
}

/** How many are looked at together. */
const together = 4

/** @param folder with its real path */
export async function listWorktrees(git: Git, folder: string, call: Call = {}): Promise<List> {
  const roots: string[] = []
  const unknown: string[] = []
  for (const repository of await namesOf(folder)) {
    const names = await namesOf(join(folder, repository))
    for (const name of names.filter((each) => /^[A-Za-z0-9_][A-Za-z0-9_-]*-/.test(each))) {
      const root = join(folder, repository, name.replace(/\.json$/, ""))
      if (name.endsWith(".json") && (await readNote(root))) roots.push(root)
      else if (!name.endsWith(".json") && !(await readNote(root))) unknown.push(root)
    }
  }
  const processes = await processesIn(roots)
  const found = await eachLimited(roots, together, async (root) => {
    const note = await readNote(root)
    return note ? [await lookAt(git, root, note, { processes: processes.get(root) ?? [], call })] : []
  })
  return { worktrees: found.flat().sort((a, b) => a.madeAt - b.madeAt), unknown }
}

async function lookAt(
  git: Git,
  root: string,
  note: Note,
  { processes, call }: { processes: number[]; call: Call },
): Promise<Listed> {
  const { owner, job, project, branch, base, madeAt, pid } = note
  const bytes = await sizeOf(root)
  const about = { directory: root, owner, job, project, branch, base, madeAt, bytes, processes }
  return { ...about, state: await stateOf(git, root, note, call), ...((await lives(note)) && { maker: pid }) }
}

async function stateOf(git: Git, root: string, note: Note, call: Call): Promise<WorktreeState> {
  if (note.state !== "made") return { type: "halfMade" }
  try {
    await isThere(root)
    const holdings = await holdingsOf(git, await knownWorktree(git, root, call), {
      limitMs: lookLimitMs,
      ...call,
    })
    return isClean(holdings) ? { type: "clean" } : { type: "holding", holdings }
  } catch (error) {
    return { type: "unreadable", why: fileFailure(error).what }
  }
}

async function namesOf(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return []
    throw error
  }
}

/** Bytes of all files. What goes meanwhile counts nothing. */
async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const sizes = await eachLimited(entries, together, async (entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return sizeOf(path)
    return (await lstat(path).catch(() => undefined))?.size ?? 0
  })
  return sizes.reduce((sum, size) => sum + size, 0)
}
