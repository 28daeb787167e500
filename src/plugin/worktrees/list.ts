import { existsSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { eachLimited } from "../util/each-limited.ts"
import { codeOf, fileFailure } from "./errors.ts"
import { whyLost } from "./forgotten.ts"
import { type Call, type Git, visiting } from "./git.ts"
import { type Holdings, holdingsOf, isClean } from "./holdings.ts"
import { lives, processesIn } from "./inhabitants.ts"
import { measured } from "./measured.ts"
import { type Note, readNote } from "./note.ts"
import { remainsIn } from "./removal.ts"
import { knownWorktree } from "./whereabouts.ts"

/**
 * `forgotten`: git knows nothing of it any more, because its repository or what that knew of it was removed. All that can
 * be said is how many files are in it. `unreadable`: git cannot say what it holds, for example because it is missing.
 */
export type WorktreeState =
  | { type: "clean" }
  | { type: "holding"; holdings: Holdings }
  | { type: "halfMade" }
  | { type: "forgotten"; why: string; files: number }
  | { type: "unreadable"; why: string }

export type Listed = {
  directory: string
  owner: string
  job: string
  /** What the job is for. */
  description?: string
  /** The owner's working tree. */
  project: string
  branch: string
  base: string
  /** Milliseconds since 1970. */
  madeAt: number
  /** When its job has ended, milliseconds since 1970. */
  endedAt?: number
  bytes: number
  state: WorktreeState
  /** Those that are in it, where the system tells. */
  processes: number[]
  /** The process that has made it, or has entered it since, where it still runs. */
  maker?: number
}

export type List = {
  /** The oldest first. */
  worktrees: Listed[]
  /** What is among them and is none. */
  unknown: string[]
  /** What is left of such that were removed. */
  remains: string[]
}

/** Whether the job is at work in it, or is to be. */
export const isUnderWay = ({ maker, endedAt }: Pick<Listed, "maker" | "endedAt">): boolean =>
  maker !== undefined && endedAt === undefined

/** How many are looked at together. */
const together = 4

/** @param folder with its real path */
export async function listWorktrees(git: Git, folder: string, call: Call = {}): Promise<List> {
  const roots: string[] = []
  const unknown: string[] = []
  const remains: string[] = []
  for (const repository of await namesOf(folder)) {
    const names = await namesOf(join(folder, repository))
    remains.push(...(await remainsIn(join(folder, repository))))
    for (const name of names.filter((each) => /^[A-Za-z0-9_][A-Za-z0-9_-]*-/.test(each))) {
      const root = join(folder, repository, name.replace(/\.json$/, ""))
      if (name.endsWith(".json") && (await readNote(root))) roots.push(root)
      else if (!name.endsWith(".json") && !(await readNote(root))) unknown.push(root)
    }
  }
  const processes = await processesIn(roots)
  const found = await eachLimited(roots, together, async (root) => {
    const look = async () => {
      const note = await readNote(root)
      if (!note) return []
      const seen = await lookAt(git, root, note, { processes: processes.get(root) ?? [], call })
      // What is just being removed cannot be looked at.
      return (await readNote(root)) ? [seen] : []
    }
    const wasThere = existsSync(root)
    const seen = await look()
    // One whose files were taken away in the middle of that may seem to have changed them.
    return wasThere && !existsSync(root) ? look() : seen
  })
  return { worktrees: found.flat().sort((a, b) => a.madeAt - b.madeAt), unknown, remains }
}

async function lookAt(
  git: Git,
  root: string,
  note: Note,
  { processes, call }: { processes: number[]; call: Call },
): Promise<Listed> {
  const { owner, job, description, project, branch, base, madeAt, endedAt, pid } = note
  const { bytes, files } = await measured(root)
  return {
    directory: root,
    owner,
    job,
    ...(description !== undefined && { description }),
    project,
    branch,
    base,
    madeAt,
    ...(endedAt !== undefined && { endedAt }),
    bytes,
    processes,
    state: await stateOf(git, root, note, { files, call }),
    ...((await lives(note)) && { maker: pid }),
  }
}

async function stateOf(
  git: Git,
  root: string,
  note: Note,
  { files, call }: { files: number; call: Call },
): Promise<WorktreeState> {
  if (note.state !== "made") return { type: "halfMade" }
  const limited = visiting(call)
  try {
    const why = await whyLost(git, root, note, limited)
    if (why !== undefined) return { type: "forgotten", why, files }
    const holdings = await holdingsOf(git, await knownWorktree(git, root, call), limited)
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
