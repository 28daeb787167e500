import { execFileSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** Makes `folder` a git repository with one commit that holds this `opencode.json`. */
export function makeProject(folder: string, config: object): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "opencode.json"), `${JSON.stringify(config, undefined, 2)}\n`)
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, stdio: "pipe" })
  git("init", "--quiet")
  git("add", "--all")
  git("-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--message", "start")
}
