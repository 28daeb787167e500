import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"

const folder = join(import.meta.dirname, "..", "opencode-2")
const own = join(folder, "node_modules", "@opencode", "cli-linux-x64-baseline", "bin", "opencode")

/**
 * The executable of opencode 2: that in OPENCODE2, else the one of `test/opencode-2`, which is installed when it is
 * first asked for, else an opencode 2 on the PATH. Nothing on a machine that has none.
 */
export function opencode2Binary(): string | undefined {
  const { OPENCODE2: given } = process.env
  if (given !== undefined && given !== "") return given
  if (process.platform !== "linux" || process.arch !== "x64") return onThePath()
  if (!existsSync(own)) {
    process.stderr.write("Installing opencode 2 into test/opencode-2 …\n")
    execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--silent"], { cwd: folder, stdio: "inherit" })
  }
  return own
}

function onThePath(): string | undefined {
  try {
    const version = execFileSync("opencode", ["--version"], { encoding: "utf8", stdio: "pipe" })
    return /^\D*2\./.test(version) ? "opencode" : undefined
  } catch {
    return undefined
  }
}
