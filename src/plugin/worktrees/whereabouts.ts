import { existsSync } from "node:fs"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { tipOf } from "./branch.ts"
import { inWorktree } from "./changes.ts"
import { codeOf, WorktreeError } from "./errors.ts"
import { isThere } from "./folder.ts"
import { whyForgotten } from "./forgotten.ts"
import { type Call, fileLimitMs, type Git } from "./git.ts"
import { type Made, madeNote, type Note, writeNote } from "./note.ts"
import { writeWhole } from "./whole-file.ts"

/**
 * A worktree that git knows too. Where somebody has had git forget it (`git worktree prune`, while its folder was away),
 * git is told of it again.
 * @throws WorktreeError, `moved` where somebody has moved it (`git worktree move`), `noRepository` where its repository
 * is gone; as `madeNote` does
 */
export async function knownWorktree(
  git: Git,
  root: string,
  { states, ...call }: Call & { states?: Note["state"][] } = {},
): Promise<Made> {
  const made = await madeNote(root, states)
  if (!existsSync(made.commonDir)) throw isGone(made)
  const place = await placeIn(made.gitDir)
  if (place === root) return made
  if (await isThere(root)) {
    const isForgotten = (await whyForgotten(git, made, call)) !== undefined
    return isForgotten ? made : recall(git, made, call)
  }
  if (place !== undefined && existsSync(place)) throw hasMoved(made, place)
  return made
}

/** Where git has a worktree of which it keeps something in this folder. */
async function placeIn(gitDir: string): Promise<string | undefined> {
  const text = await readFile(join(gitDir, "gitdir"), "utf8").catch(() => "")
  return text === "" ? undefined : dirname(resolve(gitDir, text.replace(/\n$/, "")))
}

/** It stands on its branch then, with all that differs from that uncommitted. */
async function recall(git: Git, made: Made, call: Call): Promise<Made> {
  const { root, commonDir, branch, base } = made
  const gitDir = await freeFolder(join(commonDir, "worktrees"), basename(root))
  await writeFile(join(gitDir, "HEAD"), `ref: refs/heads/${branch}\n`)
  await writeFile(join(gitDir, "commondir"), "../..\n")
  await writeFile(join(gitDir, "gitdir"), `${join(root, ".git")}\n`)
  // For whoever goes on in it. A folder that a child has put there stays: nobody else reads it.
  await writeWhole(join(root, ".git"), `gitdir: ${gitDir}\n`).catch(() => {})
  const known = { ...made, gitDir }
  const start = (await tipOf(git, { store: commonDir }, branch, call)) ?? base
  await git(inWorktree(known), ["read-tree", start], { limitMs: fileLimitMs, ...call })
  const { root: _, ...note } = known
  await writeNote(root, note)
  return known
}

/** By now another worktree may be known under its name. */
async function freeFolder(folder: string, name: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (let attempt = 1; ; attempt++) {
    const path = join(folder, attempt === 1 ? name : `${name}-${attempt}`)
    try {
      await mkdir(path)
      return path
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error
    }
  }
}

const isGone = ({ root, commonDir }: Made) =>
  new WorktreeError(
    "noRepository",
    `its repository ${commonDir} is gone`,
    `put it back, or take what is needed out of ${root}`,
  )

const hasMoved = ({ root, project }: Made, place: string) =>
  new WorktreeError(
    "moved",
    `somebody has moved ${root} to ${place}, where nobody looks for its work`,
    `move it back: git -C ${project} worktree move ${place} ${root}`,
  )
