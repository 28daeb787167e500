import { homedir } from "node:os"
import { join, relative, resolve, sep } from "node:path"
import { commandsIn } from "./commands.ts"

/** What only moves about: permitted by where it leads, not as a command. */
export const moves: ReadonlySet<string> = new Set(["cd", "pushd", "popd", "chdir"])

/** The command without what it is given; empty where there is none. */
export const nameOf = (command: string) => wordsOf(command)[0] ?? ""

/**
 * Where the commands of a line that have these names lead outside of all these folders, as absolute paths. What only the
 * shell could tell, with variables for instance, is left out, as opencode does it.
 * @param inside the first is the one in which they run
 */
export function leadsOutside(
  line: string,
  names: ReadonlySet<string>,
  [directory, ...others]: [string, ...string[]],
): string[] {
  const paths = commandsIn(line).flatMap((command) => {
    const [name = "", ...given] = wordsOf(command)
    if (!names.has(name)) return []
    return given.flatMap((word) => pathOf(word, directory) ?? [])
  })
  return [...new Set(paths)].filter((path) => ![directory, ...others].some((folder) => isIn(path, folder)))
}

function pathOf(word: string, directory: string): string | undefined {
  if (word.startsWith("-") || word.startsWith("+")) return undefined
  const plain = word.replace(/^(["'])(.*)\1$/s, "$2")
  const [beforePattern = ""] = plain.split(/[?*[]/)
  if (beforePattern === "" || /[$`]/.test(beforePattern)) return undefined
  return resolve(directory, beforePattern.replace(/^~(?=\/|$)/, homedir()))
}

/** Behind what it sets for itself, and without where its output goes. */
function wordsOf(command: string): string[] {
  const words = command.match(/(?:[^\s'"\\<>]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)+|[<>]+&?/gs) ?? []
  const first = words.findIndex((word) => !/^[A-Za-z_]\w*\+?=/.test(word))
  const end = words.findIndex((word) => /^[<>]/.test(word))
  return words.slice(Math.max(0, first), end < 0 ? undefined : end)
}

/** The root of all stands for no project. */
function isIn(path: string, folder: string): boolean {
  if (folder === sep || folder === "") return false
  const way = relative(folder, path)
  return way !== ".." && !way.startsWith(join("..", sep)) && way !== path
}
