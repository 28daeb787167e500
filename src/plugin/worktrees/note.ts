import { readFile } from "node:fs/promises"
import * as z from "zod"
import { noteFile, notOurs } from "./folder.ts"
import { claimWhole, writeWhole } from "./whole-file.ts"

/** All branches of jobs are below it; no other is ever moved or removed. */
export const branchPrefix = "troupe/"

/**
 * What is known of a worktree, beside it: a child may change anything in its worktree, this it is not to reach. It is
 * there before anything else of the worktree, and goes last but for files that are out of the way by then.
 */
export const Note = z.object({
  /** Nobody works in it before it is `made`, nor while it is `moving` to another commit to start from. */
  state: z.enum(["making", "moving", "made"]),
  owner: z.string(),
  job: z.string(),
  /** What the job is for. */
  description: z.string().optional(),
  /** The git folder that all worktrees of the repository share. */
  commonDir: z.string(),
  /** The worktree's own part of it; not known until it is made. */
  gitDir: z.string().optional(),
  /** The working tree of the owner. */
  project: z.string(),
  branch: z.string().startsWith(branchPrefix),
  /** The commit that the branch starts from. */
  base: z.string().regex(/^[0-9a-f]{40,64}$/),
  /** The one in which no job has had a part: where the first of a chain of jobs started. Default: `base`. */
  origin: z
    .string()
    .regex(/^[0-9a-f]{40,64}$/)
    .optional(),
  /** Milliseconds since 1970. */
  madeAt: z.number(),
  /** When its job has ended, milliseconds since 1970: nobody is at work in it until one goes on there. */
  endedAt: z.number().optional(),
  /** The process that made it, or has entered it since. */
  pid: z.number().int().positive(),
  /** When that was started, in words of the system. */
  start: z.string().optional(),
})
export type Note = z.infer<typeof Note>

/** A worktree that is made. */
export type Made = Note & { root: string; gitDir: string }

/** @returns whether it was free */
export const claimNote = (root: string, note: Note): Promise<boolean> =>
  claimWhole(noteFile(root), JSON.stringify(note))

export const writeNote = (root: string, note: Note): Promise<void> =>
  writeWhole(noteFile(root), JSON.stringify(note))

/** Nothing where there is none, or something else. */
export async function readNote(root: string): Promise<Note | undefined> {
  const found: unknown = await readFile(noteFile(root), "utf8")
    .then(JSON.parse)
    .catch(() => undefined)
  return Note.safeParse(found).data
}

/** @throws WorktreeError where it is not made, or in none of the given states */
export async function madeNote(root: string, states: Note["state"][] = ["made"]): Promise<Made> {
  const note = await readNote(root)
  if (!note || !states.includes(note.state) || note.gitDir === undefined) throw notOurs(root)
  return { ...note, gitDir: note.gitDir, root }
}
