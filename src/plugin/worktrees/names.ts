/**
 * The name of a file in a repository, each byte a character: git's names are bytes, and not all of them are text. So
 * nothing is lost on the way back to git or to the file system.
 */
export type Name = string

/** What git lists with `-z`. */
export function namesIn(output: Buffer): Name[] {
  return output.toString("latin1").split("\0").slice(0, -1)
}

/** For git's `--stdin -z` and its like. */
export const listed = (names: readonly Name[]): Buffer =>
  Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1")

/** For people and models. */
export const shownName = (name: Name): string => Buffer.from(name, "latin1").toString("utf8")

/** For the file system. */
export const pathOf = (root: string, name: Name): Buffer =>
  Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, "latin1")])

/** The folders that a file is in, the outermost first. */
export function foldersOf(name: Name): Name[] {
  const parts = name.split("/")
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"))
}
