import { type Name, pathOf } from "../names.ts"
import { contentIn, isSame } from "./content.ts"
import { copyEntry, hasRoomFor, makeFolders, moveEntry, removeEmpty, removeEntry } from "./files.ts"
import { closeJournal, type Journal, oldCopy, readJournal } from "./journal.ts"
import { writeLedger } from "./ledger.ts"

/**
 * What has become of an apply that was interrupted. `changed` are files that somebody has changed since: they stay as
 * they are.
 */
export type Recovered = { type: "nothing" } | { type: "finished" } | { type: "undone"; changed: Name[] }

/**
 * Ends an apply that a crash has interrupted: one that had written everything has happened, any other is undone.
 * Interrupted in turn, it is ended by the next call.
 * @param folder of its journal
 */
export async function recoverApply(folder: string): Promise<Recovered> {
  const journal = await readJournal(folder)
  const recovered: Recovered = journal ? await endOf(folder, journal) : { type: "nothing" }
  await closeJournal(folder)
  return recovered
}

async function endOf(folder: string, journal: Journal): Promise<Recovered> {
  const { root, steps, ledger } = journal
  if (!(journal.isWritten ?? (await isAllWritten(journal))))
    return { type: "undone", changed: await undo(folder, journal) }
  for (const { beside } of steps) await removeEntry(root, beside)
  await writeLedger(folder, ledger)
  return { type: "finished" }
}

/** It may have been cut off just before it could say so. */
async function isAllWritten({ root, steps }: Journal): Promise<boolean> {
  const contents = await Promise.all(steps.map(({ name }) => contentIn(root, name)))
  return steps.every(({ after }, index) => isSame(contents[index] ?? after, after))
}

/**
 * Puts back what was there, the last step first.
 * @returns the files that somebody has changed since
 */
export async function undo(folder: string, { root, steps, folders }: Journal): Promise<Name[]> {
  const changed: Name[] = []
  for (const [index, { name, before, after, beside }] of [...steps.entries()].reverse()) {
    await removeEntry(root, beside)
    const now = await contentIn(root, name)
    if (isSame(now, before)) continue
    if (!isSame(now, after)) {
      changed.unshift(name)
    } else if (before.type === "none") {
      await removeEntry(root, name)
    } else if (!(await isFreeFor(root, name, folders))) {
      changed.unshift(name)
    } else {
      await makeFolders(root, name)
      await copyEntry(oldCopy(folder, index), pathOf(root, beside))
      await moveEntry(root, beside, name)
    }
  }
  for (const made of folders.toReversed()) await removeEmpty(pathOf(root, made))
  return changed
}

/**
 * Whether a file can be put back. Folders that were made where it was are removed for it, unless somebody has put
 * something there since.
 */
async function isFreeFor(root: string, name: Name, made: readonly Name[]): Promise<boolean> {
  for (const folder of made.toReversed()) {
    if (folder === name || folder.startsWith(`${name}/`)) await removeEmpty(pathOf(root, folder))
  }
  return hasRoomFor(root, name)
}
