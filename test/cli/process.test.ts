import { spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it, onTestFinished } from "vitest"
import * as z from "zod"
import { createWorktrees } from "../../src/plugin/worktrees/worktrees.ts"
import { quoted } from "../../src/util/own-command.ts"
import { testRepository, writeAll } from "../plugin/worktrees/support/repository.ts"
import { tempFolder } from "../support/temp-folder.ts"

/** The command line as it is built, in a process of its own. */
const built = join(import.meta.dirname, "../../dist/cli.js")

type Given = { typed?: string; cwd?: string }

async function run(env: NodeJS.ProcessEnv, args: string[], { typed = "", cwd }: Given = {}) {
  const child = spawn(process.execPath, [built, ...args], { env, cwd })
  const output = { out: "", err: "" }
  child.stdout.on("data", (piece) => {
    output.out += piece
  })
  child.stderr.on("data", (piece) => {
    output.err += piece
  })
  // One that asks nothing does not read it.
  child.stdin.on("error", () => {})
  child.stdin.end(typed)
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
  return { code, ...output }
}

async function oneHolding() {
  const repo = testRepository()
  const env = { ...repo.env, XDG_DATA_HOME: join(repo.folder, "..") }
  const owner = "ses_0123456789abcdef"
  const made = await createWorktrees({ env }).make({ directory: repo.path, owner, job: "a" })
  writeAll(made.directory, { "new.txt": "new\n" })
  return { ...made, env }
}

/** The files of the built package that a process has loaded. */
async function loadedBy(args: string[]): Promise<string[]> {
  const temp = tempFolder("cli-loaded")
  onTestFinished(temp.remove)
  const coverage = join(temp.path, "coverage")
  await run({ HOME: temp.path, PATH: process.env.PATH, NODE_V8_COVERAGE: coverage }, args)
  const [file = ""] = readdirSync(coverage)
  const { result } = Loaded.parse(JSON.parse(readFileSync(join(coverage, file), "utf8")))
  return result.flatMap(({ url }) => (url.startsWith("file:") ? [fileURLToPath(url)] : []))
}

const Loaded = z.object({ result: z.array(z.object({ url: z.string() })) })

describe("The command line, as it is built,", () => {
  it("lists, and discards once a person has typed so", async () => {
    const { env, branch } = await oneHolding()
    const list = await run(env, ["worktrees"])
    expect([list.code, list.err]).toEqual([0, ""])
    expect(list.out).toContain(branch)
    expect(list.out).toContain("1 uncommitted file")
    expect(list.out).not.toContain("\u001b")
    expect(await run(env, ["worktrees", "--discard", branch])).toMatchObject({
      code: 1,
      err: "Type discard to go on: Nothing was discarded.\n",
    })
    expect(await run(env, ["worktrees", "--discard", branch], { typed: "discard\n" })).toMatchObject({
      code: 0,
      out: expect.stringContaining("    new.txt\n"),
    })
    expect(await run(env, ["worktrees", "--json"])).toEqual({
      code: 0,
      out: '{\n  "worktrees": [],\n  "unknown": [],\n  "remains": []\n}\n',
      err: "",
    })
  })

  it("is in nobody's way where it is called", async () => {
    const { env, directory } = await oneHolding()
    const { out } = await run(env, ["worktrees"], { cwd: directory })
    expect(out).not.toContain("is in it")
    expect(await run(env, ["worktrees", "--discard", ".", "--yes"], { cwd: directory })).toMatchObject({
      code: 0,
      err: "",
    })
    expect(existsSync(directory)).toBe(false)
  })

  it("has nothing to say to whoever has seen enough", async () => {
    const { env } = await oneHolding()
    const child = spawn(process.execPath, [built, "worktrees"], { env })
    child.stdout.destroy()
    let words = ""
    child.stderr.on("data", (piece) => {
      words += piece
    })
    await new Promise((resolve) => child.on("close", resolve))
    expect(words).toBe("")
  })

  it("says where git is missing, and which worktrees there are all the same", async () => {
    const { env, branch } = await oneHolding()
    const { code, out } = await run({ ...env, PATH: "" }, ["worktrees"])
    expect(code).toBe(1)
    expect(out).toContain(branch)
    expect(out.replace(/\s+/g, " ")).toContain("cannot be read: git is not installed")
  })

  it("ends with 2 where it is called in a wrong way, and names the right one", async () => {
    const { code, out, err } = await run({}, ["worktrees", "--all"])
    expect([code, out]).toEqual([2, ""])
    expect(err).toBe(`Unknown option: --all\nSee node ${quoted(built)} worktrees --help\n`)
  })

  it("loads what knows of git for worktrees alone", async () => {
    const knowsGit = (file: string) => readFileSync(file, "utf8").includes("--no-optional-locks")
    expect((await loadedBy(["worktrees"])).filter(knowsGit)).toHaveLength(1)
    for (const args of [["inspect"], ["worktrees", "--help"]]) {
      const loaded = await loadedBy(args)
      expect(loaded).toContain(built)
      expect(loaded.filter(knowsGit)).toEqual([])
    }
  })
})
