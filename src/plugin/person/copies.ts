import { shared } from "../util/process-wide.ts"

type Copy = { directory: string; entry: string }

/** Every instance of the plugin in this process, of whichever copy of the package. */
const copies = shared("copies", () => new Set<Copy>())

/**
 * Two entries of an opencode.json may load two copies of the package, which would both offer the tools, tell owners of
 * jobs, and hold limits of their own.
 * @param entry where this copy is loaded from
 * @returns what the person is told where another copy serves the same directory, and what takes this one back
 */
export function registerCopy(directory: string, entry: string): { problem?: string; remove: () => void } {
  const copy = { directory, entry }
  const other = [...copies].find((each) => each.directory === directory && each.entry !== entry)
  copies.add(copy)
  const remove = () => void copies.delete(copy)
  if (!other) return { remove }
  const problem = `two copies are loaded, from ${other.entry} and from ${entry}: remove one of them from the configuration`
  return { problem, remove }
}
