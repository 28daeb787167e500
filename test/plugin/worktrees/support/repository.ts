import { execFileSync } from "node:child_process"
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { onTestFinished } from "vitest"
import { createWorktrees, type Worktrees } from "../../../../src/plugin/worktrees/worktrees.ts"
import { tempFolder } from "../../../support/temp-folder.ts"

/** A repository of a user with a home of their own, so that nobody's configuration has a part in it. */
export type TestRepository = {
  path: string
  /** Where the worktrees are. */
  folder: string
  env: NodeJS.ProcessEnv
  worktrees: Worktrees
  /** What git writes, without the last line's end. */
  git(...args: string[]): string
  /** As above, in another folder. */
  gitIn(directory: string, ...args: string[]): string
  write(files: Record<string, string>): void
  commit(files: Record<string, string>, message?: string): string
}

export type Wanted = { commits?: boolean; identity?: boolean; name?: string; bare?: boolean }

export function testRepository({ commits = true, identity = true, name = "project", bare }: Wanted = {}) {
  const temp = tempFolder("worktrees")
  onTestFinished(temp.remove)
  const home = join(temp.path, "home")
  const path = join(temp.path, name)
  mkdirSync(home)
  mkdirSync(path)
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    GIT_CONFIG_NOSYSTEM: "1",
  }
  if (identity) {
    writeFileSync(join(home, ".gitconfig"), "[user]\n\tname = Ada\n\temail = ada@example.com\n")
  } else {
    writeFileSync(join(home, ".gitconfig"), "[user]\n\tuseConfigOnly = true\n")
  }
  const folder = join(temp.path, "data", "worktrees")
  const repository: TestRepository = {
    path,
    folder,
    env,
    worktrees: createWorktrees({ folder, env }),
    git: (...args) => repository.gitIn(path, ...args),
    gitIn: (directory, ...args) => runGit(directory, args, env),
    write: (files) => writeAll(path, files),
    commit(files, message = "a change") {
      repository.write(files)
      repository.git("add", "--all")
      repository.git("commit", "--quiet", "-m", message)
      return repository.git("rev-parse", "HEAD")
    },
  }
  repository.git("init", "--quiet", "-b", "main", ...(bare ? ["--bare"] : []))
  if (commits && !bare) {
    runGit(path, ["commit", "--quiet", "--allow-empty", "-m", "first"], { ...env, ...someIdentity })
  }
  return repository
}

const someIdentity = {
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.com",
}

export function runGit(directory: string, args: string[], env: NodeJS.ProcessEnv): string {
  const given = { cwd: directory, env, encoding: "utf8" as const, stdio: "pipe" as const }
  return execFileSync("git", args, given).replace(/\n$/, "")
}

export function writeAll(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
}

/** All that is in a folder, by its name: `mode content`. The names' bytes are characters. */
export function contents(
  folder: string,
  skip: (name: string) => boolean = () => false,
): Record<string, string> {
  const found: Record<string, string> = {}
  const walk = (directory: Buffer, below: string) => {
    for (const entry of readdirSync(directory, { encoding: "buffer" })) {
      const name = below + entry.toString("latin1")
      if (skip(name)) continue
      const path = Buffer.concat([directory, Buffer.from("/"), entry])
      const stat = lstatSync(path)
      const mode = (stat.mode & 0o777).toString(8)
      if (stat.isSymbolicLink()) found[name] = `link ${readlinkSync(path)}`
      else if (stat.isDirectory()) walk(path, `${name}/`)
      else found[name] = `${mode} ${readFileSync(path).toString("latin1")}`
    }
  }
  walk(Buffer.from(folder), "")
  return found
}

/** What a user has in a working tree, without git's own. */
export const filesIn = (folder: string) => contents(folder, (name) => name === ".git")

/** What of a repository is its user's: all but git's store, and what belongs to worktrees of jobs. */
export const userSide = (path: string) =>
  contents(path, (name) =>
    /^\.git\/(?:objects|worktrees|refs\/heads\/troupe|logs\/refs\/heads\/troupe)(?:\/|$)/.test(name),
  )
