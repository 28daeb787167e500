import { dirname } from "node:path"
import { readLedger, wasApplied } from "./apply/ledger.ts"
import { applyFolderOf, isThere } from "./folder.ts"
import { readNote } from "./note.ts"

/**
 * What has become of a worktree with its branch: they are `there`, or there and its end was `applied` to its owner's
 * files, whatever has happened to those since, or they were `removed`.
 */
export type Fate = "there" | "applied" | "removed"

export type Whose = {
  owner: string
  job: string
  /** The end of its work; absent where that is not known. */
  commit?: string | undefined
}

/** This costs a look at two small files, and no git. */
export async function fateOf(root: string, { owner, job, commit }: Whose): Promise<Fate> {
  const note = await readNote(root)
  if (!note) return (await isThere(root)) ? "there" : "removed"
  if (commit === undefined) return "there"
  const ledger = await readLedger(applyFolderOf(dirname(root), note.project))
  return wasApplied(ledger, { owner, id: job, commit }) ? "applied" : "there"
}
