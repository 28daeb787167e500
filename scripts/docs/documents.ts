import { faultDocuments } from "./faults.ts"
import { machineDocuments } from "./machines.ts"

/** A file that is written, not edited. */
export type Document = {
  /** From the root. */
  path: string
  text: string
}

/** All of them. Each kind has a file of its own beside this one. */
export function allDocuments(): Document[] {
  return [...machineDocuments(), ...faultDocuments()]
}

/** What is not as it would be written now. `read` gives nothing for a file that is not there. */
export function outdated(
  documents: readonly Document[],
  read: (path: string) => string | undefined,
): Document[] {
  return documents.filter(({ path, text }) => read(path) !== text)
}
