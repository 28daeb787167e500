import { rm } from "node:fs/promises"
import { join } from "node:path"
import * as z from "zod"
import { WorktreeError } from "../errors.ts"
import { readWhole, writeWhole } from "../whole-file.ts"
import { Content } from "./content.ts"
import { Ledger } from "./ledger.ts"

/** One change with both of its ends: which of them is in place can be told, and the other one put there. */
export const Step = z.object({
  name: z.string(),
  before: Content,
  after: Content,
  /** The name that a file has until it is whole, in a folder that is there. */
  beside: z.string(),
})
export type Step = z.infer<typeof Step>

/**
 * What is about to be written; on disk before the first file is, together with copies of all that was there, `old/<n>`
 * for the step of that place in the list. As long as it exists, the apply has neither happened nor not happened.
 */
export const Journal = z.object({
  root: z.string(),
  steps: z.array(Step),
  /** Folders that are made for it, the outermost first. */
  folders: z.array(z.string()),
  /** What is known of the working tree once all is written. */
  ledger: Ledger,
  /** All steps are done: what a file is like by now is what somebody has made of it since. */
  isWritten: z.literal(true).optional(),
})
export type Journal = z.infer<typeof Journal>

const fileIn = (folder: string) => join(folder, "journal.json")

export const oldCopy = (folder: string, step: number): Buffer => Buffer.from(join(folder, "old", `${step}`))

export const writeJournal = (folder: string, journal: Journal): Promise<void> =>
  writeWhole(fileIn(folder), JSON.stringify(journal))

/**
 * Nothing where nothing was about to be written.
 * @throws WorktreeError where it is damaged: nobody knows then what was written
 */
export async function readJournal(folder: string): Promise<Journal | undefined> {
  const text = await readWhole(fileIn(folder))
  if (text === undefined) return undefined
  const { data } = Journal.safeParse(parsed(text))
  if (data) return data
  throw new WorktreeError(
    "failed",
    `an earlier apply was interrupted, and its journal ${fileIn(folder)} is damaged`,
    `compare your files with their copies in ${join(folder, "old")}, then remove ${folder}`,
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** From here on it has happened, or has not happened; the copies are of no more use. */
export async function closeJournal(folder: string): Promise<void> {
  await rm(fileIn(folder), { force: true })
  await rm(folder, { recursive: true, force: true })
}
