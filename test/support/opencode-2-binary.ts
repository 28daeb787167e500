import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { basename, delimiter, join } from "node:path"

const folder = join(import.meta.dirname, "..", "opencode-2")

/**
 * The executable of opencode 2: the one in OPENCODE2, else that of `test/opencode-2` where it fits the machine, else
 * an `opencode2` or `opencode` of the PATH. Nothing where none of them is an opencode 2.
 * @throws where OPENCODE2 names what does not exist or is no opencode 2
 */
export function opencode2Binary(): string | undefined {
  const { OPENCODE2: given } = process.env
  if (given !== undefined && given !== "") {
    if (given === process.env[seen]) return given
    if (!exists(given)) throw new Error(`OPENCODE2 names ${given}, which does not exist`)
    if (!isOpencode2(given)) throw new Error(`OPENCODE2 names ${given}, which is no opencode 2`)
    process.env[seen] = given
    return given
  }
  if (process.env[seen] === none) return undefined
  const found = candidates().find(isOpencode2)
  process.env[seen] = found ?? none
  if (found !== undefined) process.env.OPENCODE2 = found
  return found
}

/** Holds the one that has been looked at, or that there is none: the processes that this one starts need not look again. */
const seen = "TROUPE_OPENCODE2"
const none = "none"

/** Installs the one of `test/opencode-2`, on the machines that it fits. */
export function installOpencode2(): void {
  if (process.env.OPENCODE2 || !fits || existsSync(installed)) return
  process.stderr.write("Installing opencode 2 into test/opencode-2 …\n")
  // If it fails, npm says why.
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"]
  execFileSync("npm", args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] })
}

/** The only one in the registry is for this kind of machine. */
const fits = process.platform === "linux" && process.arch === "x64"
const installed = join(folder, "node_modules", "@opencode", "cli-linux-x64-baseline", "bin", "opencode")

/** A name without a folder is looked up in the PATH, as it will be when it is run. */
const exists = (given: string) =>
  existsSync(given) ||
  (basename(given) === given && foldersOfPath().some((each) => existsSync(join(each, given))))

const foldersOfPath = () => (process.env.PATH ?? "").split(delimiter)

function candidates(): string[] {
  const name = process.platform === "win32" ? ".exe" : ""
  const ofPath = foldersOfPath().flatMap((each) => [
    join(each, `opencode2${name}`),
    join(each, `opencode${name}`),
  ])
  return [...(fits ? [installed] : []), ...ofPath].filter((path) => existsSync(path))
}

function isOpencode2(path: string): boolean {
  try {
    return /\bv?2\.\d+\.\d+/.test(execFileSync(path, ["--version"], { encoding: "utf8", stdio: "pipe" }))
  } catch {
    return false
  }
}
