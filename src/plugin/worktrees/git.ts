import { spawn } from "node:child_process"
import { parse } from "node:path"
import { codeOf, gitFailure, WorktreeError } from "./errors.ts"
import { visitorMark } from "./inhabitants.ts"
import { pipeIn, waitsFor } from "./pipes.ts"

/**
 * Where git works: it looks for the repository itself, or is told where both halves of it are, or works on commits and
 * branches alone. What is in a child's worktree is never asked, for its `.git` may lead anywhere by now.
 */
export type Where = { directory: string } | Tree | { store: string }

/** A working tree, and the folder in which git keeps what it knows of it. */
export type Tree = { gitDir: string; workTree: string }

export type Call = {
  input?: string | Buffer
  env?: Record<string, string>
  /** More of git's configuration: `name=value`. */
  settings?: readonly string[]
  /** Exit codes that are answers. Default: 0. */
  codes?: number[]
  /** Milliseconds. */
  limitMs?: number
  /** Bytes of its output that are wanted: git is ended once it has written more. Default: all, up to what can be read. */
  keepOnly?: number
  signal?: AbortSignal | undefined
}

export type Answer = {
  code: number
  /** Names in it may hold any byte. */
  stdout: Buffer
  /** As text, without the last line's end. */
  text: string
}

/** @throws WorktreeError */
export type Git = (where: Where, args: readonly string[], call?: Call) => Promise<Answer>

/** For what reads or writes files of the project; the rest takes milliseconds. */
export const fileLimitMs = 5 * 60_000
/** For what looks at worktrees of several jobs: what one of them has in its own is not to hold up the others. */
export const lookLimitMs = 10_000
/** For a look at any of them: bounded, and no reason to count it as in use. */
export const visiting = (call: Call): Call => ({
  limitMs: lookLimitMs,
  ...call,
  env: { ...call.env, ...visitorMark },
})
const limitMs = 60_000
/** How long git, and what it has started, may take to end once it is asked to. Milliseconds. */
const graceMs = 2_000
/** From then on it may be that git waits for something that will never come. */
const patienceMs = 1_000

/** Bytes that git may write: names of some hundred thousand files. */
const mostOutput = 128 * 2 ** 20
const mostWords = 64 * 2 ** 10

/**
 * Nothing of the repository's configuration is run that is not needed to read and write its files: no hooks, no
 * monitor, no signing, no upkeep in the background. Nothing is asked of anybody.
 */
const settings = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.safecrlf=false",
  "core.splitIndex=false",
  "core.untrackedCache=false",
  "submodule.recurse=false",
  "commit.gpgSign=false",
  "i18n.commitEncoding=utf-8",
  "gc.auto=0",
  "maintenance.auto=false",
  "advice.detachedHead=false",
]
const fixed = ["--no-optional-locks", "--no-pager", ...settings.flatMap((each) => ["-c", each])]

/**
 * What looks at the files of a working tree. A repository within may be a child's, with settings that have git run
 * something: `--ignore-submodules=all` keeps git out of it, and should it get there all the same, it fetches nothing.
 */
const looking = new Set(["status", "add", "diff", "ls-files", "update-index"])
const fetchesNothing = { GIT_ALLOW_PROTOCOL: "none", GIT_NO_LAZY_FETCH: "1" }

/** A person's configuration and identity; all else that begins with GIT_ belongs to whatever started this process. */
const kept = /^GIT_(?:CONFIG_|(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL)$|EXEC_PATH$|CEILING_DIRECTORIES$)/

export function createGit(binary = "git", surroundings: NodeJS.ProcessEnv = process.env): Git {
  const env = {
    ...Object.fromEntries(
      Object.entries(surroundings).filter(([name]) => !name.startsWith("GIT_") || kept.test(name)),
    ),
    LC_ALL: "C",
    GIT_TERMINAL_PROMPT: "0",
    GIT_LFS_SKIP_SMUDGE: "1",
  }
  return async (where, args, call = {}) => {
    const { codes = [0], settings = [] } = call
    const [command = ""] = args
    const all = [...fixed, ...settings.flatMap((each) => ["-c", each]), ...placed(where), ...args]
    const surroundings = looking.has(command) ? { ...env, ...fetchesNothing } : env
    const tree = looking.has(command) && "workTree" in where ? where.workTree : undefined
    const { code, stdout, stderr } = await run(binary, all, surroundings, { ...call, tree })
    if (!codes.includes(code)) throw gitFailure(command, code, stderr)
    return { code, stdout, text: stdout.toString("utf8").replace(/\n$/, "") }
  }
}

function placed(where: Where): string[] {
  if ("directory" in where) return ["-C", where.directory]
  if ("store" in where) return ["-C", where.store, `--git-dir=${where.store}`]
  return ["-C", where.workTree, `--git-dir=${where.gitDir}`, `--work-tree=${where.workTree}`]
}

type Ended = { code: number; stdout: Buffer; stderr: string }

/** @param call `tree`: the working tree that it looks at */
function run(
  binary: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  call: Call & { tree: string | undefined },
): Promise<Ended> {
  const { signal, input, keepOnly = Number.POSITIVE_INFINITY } = call
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(interrupted())
    const child = spawn(binary, args, {
      env: { ...env, ...call.env },
      // Wherever this process is may be gone.
      cwd: parse(process.execPath).root,
      // With what it starts: filters outlive a git that is killed.
      detached: process.platform !== "win32",
      windowsHide: true,
    })
    const stdout: Buffer[] = []
    let length = 0
    let words = ""
    let failure: WorktreeError | undefined
    let isCut = false
    let force: NodeJS.Timeout | undefined

    const settle = () => {
      clearTimeout(timer)
      clearTimeout(force)
      clearTimeout(look)
      over.abort()
      signal?.removeEventListener("abort", abort)
    }
    const finish = (code: number | null) => {
      settle()
      if (failure) reject(failure)
      else resolve({ code: isCut ? 0 : (code ?? -1), stdout: Buffer.concat(stdout), stderr: words })
    }
    /** git removes what it has half made when it is asked to end; a filter of the repository may not even hear that. */
    const stop = () => {
      kill(child.pid, "SIGTERM")
      force ??= setTimeout(() => {
        kill(child.pid, "SIGKILL")
        // What has left its group keeps them open.
        child.stdout.destroy()
        child.stderr.destroy()
        finish(null)
      }, graceMs).unref()
    }
    const end = (error: WorktreeError) => {
      failure ??= error
      stop()
    }
    /** The last piece that is wanted, or one after it. */
    const cut = (piece: Buffer) => {
      const rest = keepOnly - (length - piece.length)
      if (rest <= 0) return
      stdout.push(piece.subarray(0, rest))
      isCut = true
      stop()
    }
    const abort = () => end(interrupted())
    const timer = setTimeout(() => end(tooSlow(call.limitMs ?? limitMs)), call.limitMs ?? limitMs)
    timer.unref()
    const over = new AbortController()
    const look = setTimeout(async () => {
      const pipe = call.tree === undefined ? undefined : await pipeIn(call.tree, over.signal)
      if (pipe !== undefined && !over.signal.aborted) end(waitsFor(pipe))
    }, patienceMs)
    look.unref()
    signal?.addEventListener("abort", abort, { once: true })

    child.stdout.on("data", (piece: Buffer) => {
      length += piece.length
      if (length > keepOnly) cut(piece)
      else if (length > mostOutput) end(tooMuch())
      else stdout.push(piece)
    })
    child.stderr.on("data", (piece: Buffer) => {
      if (words.length < mostWords) words += piece.toString("utf8")
    })
    // A git that has ended reads nothing more; why it has ended is what counts.
    child.stdin.on("error", () => {})
    child.stdin.end(input ?? "")

    child.on("error", (error) => {
      settle()
      reject(codeOf(error) === "ENOENT" ? noGit() : gitFailure(args.at(-1) ?? "", -1, error.message))
    })
    child.on("close", finish)
  })
}

function kill(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(process.platform === "win32" ? pid : -pid, signal)
  } catch {
    // It has ended by itself.
  }
}

const noGit = () => new WorktreeError("noGit", "git is not installed", "install git 2.38 or later")
const interrupted = () => new WorktreeError("interrupted", "git was interrupted", "try again")
const tooMuch = () =>
  new WorktreeError("failed", "git lists more files than can be read", "ignore those that are not needed")
const tooSlow = (ms: number) =>
  new WorktreeError(
    "timeout",
    `git did not end within ${ms / 1000} s`,
    "see what keeps it busy and try again",
  )
