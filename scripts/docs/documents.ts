import { faultDocuments } from "./faults.ts"
import { machineDocuments } from "./machines.ts"

/** A generated file. */
export type Document = {
  /** Relative to the root. */
  path: string
  text: string
}

/** All generated documents. Each kind has its own file in this folder. */
export function allDocuments(): Document[] {
  return [...machineDocuments(), ...faultDocuments()]
}

/** The documents that would change. `read` returns undefined for a missing file. */
export function outdated(
  documents: readonly Document[],
  read: (path: string) => string | undefined,
): Document[] {
  return documents.filter(({ path, text }) => read(path) !== text)
}
