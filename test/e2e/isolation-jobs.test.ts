import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("What a job has done in its worktree", ({ start, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    // opencode 2 keeps each worktree loaded, and reloads all that it has loaded: others would wait for that.
    oc = await start({ model, plugin: { options: { notify: "never" } } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const git = (...args: string[]) => execFileSync("git", args, { cwd: oc.project, encoding: "utf8" })
  const branches = () => git("branch", "--list", "troupe/*").split("\n").length
  const isSound = () => expect(git("fsck", "--full", "--no-dangling")).toBe("")

  /** A model that runs this command, and says or does `last`. */
  const works = (prompt: string, command: string, last: Parameters<ScriptedModel["script"]>[1][number]) =>
    model.script(({ text }) => text.endsWith(prompt), [{ type: "tool", calls: [tools.shell(command)] }, last])
  const over = { type: "text", text: "over" } as const
  const isolated = (id: string, prompt: string, more = {}) => ({ id, prompt, isolation: "worktree", ...more })
  const run = async (owner: string, task: object, more = {}) =>
    jobOf(await oc.callTool(owner, "agents_start", { tasks: [task], wait: true, ...more }))

  test("is on its branch for each item of a group", async () => {
    const owner = await oc.session()
    for (const item of ["red", "blue"]) works(`paint ${item}`, `echo ${item} > paint.txt`, over)
    const task = isolated("paint", "paint {{item}}", { each: ["red", "blue"] })
    const jobs = jobsOf(await oc.callTool(owner, "agents_start", { tasks: [task], wait: true }))
    expect(jobs.map(({ state, error }) => ({ state, error }))).toEqual([{ state: "done" }, { state: "done" }])
    expect(jobs.map(({ worktree }) => git("show", `${worktree?.commit}:paint.txt`))).toEqual([
      "red\n",
      "blue\n",
    ])
    expect(jobs.map(({ worktree }) => worktree?.overlaps)).toContainEqual([
      { job: expect.stringMatching(/^paint\.[12]$/), files: ["paint.txt"] },
    ])
    expect(existsSync(join(oc.project, "paint.txt"))).toBe(false)
  })

  test("is committed once more after a follow-up", async () => {
    const owner = await oc.session()
    works("first part", "echo 1 > part.txt", over)
    works("second part", "echo 2 >> part.txt", over)
    const { worktree } = await run(owner, isolated("a", "first part"))
    await oc.callTool(owner, "agents_send", { id: "a", message: "second part" })
    const again = jobOf(await oc.callTool(owner, "agents_wait", {})).worktree
    expect(again).toMatchObject({ directory: worktree?.directory, base: worktree?.base, insertions: 2 })
    expect(git("rev-list", "--count", `${again?.base}..${again?.branch}`)).toBe("2\n")
    expect(git("rev-parse", again?.branch ?? "")).toBe(`${again?.commit}\n`)
  })

  describe("is committed as it is", () => {
    const sealed = (worktree: { commit?: string | undefined } | undefined) =>
      git("show", `${worktree?.commit}:half.txt`)

    test("when it is cancelled", async () => {
      const owner = await oc.session()
      works("half a", "echo half > half.txt", held("half").reply)
      await oc.callTool(owner, "agents_start", { tasks: [isolated("a", "half a")] })
      await model.waitFor(({ text, messages }) => text === "half a" && messages.at(-1)?.role === "tool")
      const { state, worktree } = jobOf(await oc.callTool(owner, "agents_cancel", { ids: ["a"] }))
      expect([state, sealed(worktree)]).toEqual(["cancelled", "half\n"])
    })

    test("when its time runs out", async () => {
      const owner = await oc.session()
      works("half b", "echo half > half.txt", held("half").reply)
      const { state, worktree } = await run(owner, isolated("a", "half b", { timeout: 10 }))
      expect([state, sealed(worktree)]).toEqual(["timedOut", "half\n"])
    })

    test("when its budget is spent", async () => {
      const owner = await oc.session()
      model.script(
        ({ text }) => text === "half c",
        [
          { type: "tool", calls: [tools.shell("echo half > half.txt")], tokens: { input: 900, output: 200 } },
          held("half").reply,
        ],
      )
      const { state, error, worktree } = await run(owner, isolated("a", "half c"), {
        budget: { tokens: 1_000 },
      })
      expect([state, error?.kind, sealed(worktree)]).toEqual(["cancelled", "budget", "half\n"])
    })

    test("when its provider fails", async () => {
      const owner = await oc.session()
      works("half d", "echo half > half.txt", { type: "error", status: 400, body: "no" })
      const { state, worktree } = await run(owner, isolated("a", "half d"))
      expect([state, sealed(worktree)]).toEqual(["failed", "half\n"])
    })
  })

  test("is done in the same one where another model takes over", async () => {
    const owner = await oc.session()
    const isAsked = (name: string) => (request: { text: string; model: string }) =>
      request.text.includes("move on") && request.model === name
    model.on(isAsked("m1"), { type: "error", status: 401, body: { error: { message: "Invalid API key" } } })
    model.script(isAsked("m2"), [{ type: "tool", calls: [tools.write("moved.txt", "by m2\n")] }, over])
    const before = branches()
    const task = isolated("a", "move on", { model: ["fake/m1", "fake/m2"] })
    const { attempts, state, error, worktree } = await run(owner, task)
    expect({ state, error, left: attempts?.length }).toEqual({ state: "done", left: 1 })
    expect(git("show", `${worktree?.commit}:moved.txt`)).toBe("by m2\n")
    expect(branches()).toBe(before + 1)
  })

  test("is what others start from, two levels deep", async () => {
    const owner = await oc.session()
    works("step one", "echo 1 > steps.txt", over)
    works("step two", "echo 2 >> steps.txt", over)
    works("step three", "echo 3 >> steps.txt", over)
    const tasks = [
      isolated("one", "step one"),
      { id: "two", prompt: "step two", isolation: { from: "one" } },
      { id: "three", prompt: "step three", isolation: { from: "two" } },
    ]
    const jobs = jobsOf(await oc.callTool(owner, "agents_start", { tasks, wait: true }))
    const [one, two, three] = jobs.map(({ worktree }) => worktree)
    expect([two?.base, three?.base]).toEqual([one?.commit, two?.commit])
    expect(git("show", `${three?.commit}:steps.txt`)).toBe("1\n2\n3\n")
  })

  test("is not built on where it failed, unless that is asked for", async () => {
    const owner = await oc.session()
    works("go wrong", "echo wrong > wrong.txt", { type: "error", status: 400, body: "no" })
    works("save it", "echo saved >> wrong.txt", over)
    const tasks = [
      isolated("wrong", "go wrong"),
      { id: "next", prompt: "never asked", isolation: { from: "wrong" } },
      { id: "saves", prompt: "save it", isolation: { from: "wrong" }, needs: [{ id: "wrong", on: "ended" }] },
    ]
    const [, next, saves] = jobsOf(await oc.callTool(owner, "agents_start", { tasks, wait: true }))
    expect(next).toMatchObject({ state: "failed", error: { kind: "dependency" } })
    expect(saves).toMatchObject({ state: "done" })
    expect(git("show", `${saves?.worktree?.commit}:wrong.txt`)).toBe("wrong\nsaved\n")
  })

  describe("is not lost where the child", () => {
    test("commits it itself, switches to a branch of its own, and goes on there", async () => {
      const owner = await oc.session()
      const as = "git -c user.name=C -c user.email=c@example.org"
      works(
        "own branch",
        `echo 1 > own.txt && git add own.txt && ${as} commit -qm mine && git switch -qc own-branch && ` +
          `echo 2 > own2.txt && git add own2.txt && ${as} commit -qm more && echo 3 > own3.txt`,
        over,
      )
      const { state, worktree } = await run(owner, isolated("a", "own branch"))
      expect([state, worktree?.files]).toEqual(["done", 3])
      expect(git("rev-parse", worktree?.branch ?? "")).toBe(`${worktree?.commit}\n`)
      expect(git("log", "--format=%s", `${worktree?.base}..${worktree?.commit}`)).toContain("more\nmine\n")
      isSound()
    })

    test("deletes the folder of its worktree: what it had committed is there", async () => {
      const owner = await oc.session()
      const as = "git -c user.name=C -c user.email=c@example.org"
      works(
        "delete it all",
        `echo kept > kept.txt && git add kept.txt && ${as} commit -qm kept && rm -rf "$PWD"`,
        over,
      )
      const { worktree } = await run(owner, isolated("a", "delete it all"))
      expect(git("show", `${worktree?.branch}:kept.txt`)).toBe("kept\n")
      const applied = await oc.callTool(owner, "agents_apply", { ids: ["a"] })
      expect(applied.output).toContain("Applied a: 1 file, not committed: kept.txt.")
      expect(readFileSync(join(oc.project, "kept.txt"), "utf8")).toBe("kept\n")
      isSound()
    })
  })

  describe("is nothing where it can be given none: the job fails, others go on, nobody works in the project,", () => {
    /** An isolated job beside one that is not. */
    async function refused(words: string): Promise<void> {
      const owner = await oc.session()
      model.on("be beside", over)
      const before = branches()
      const tasks = [isolated("a", "never asked"), { id: "b", prompt: "be beside" }]
      const [a, b] = jobsOf(await oc.callTool(owner, "agents_start", { tasks, wait: true }))
      expect(a).toMatchObject({ state: "failed", error: { kind: "isolation" } })
      expect(a?.error?.message).toContain(words)
      expect(b).toMatchObject({ state: "done" })
      expect(model.requests.some(({ text }) => text === "never asked")).toBe(false)
      expect(branches()).toBe(before)
    }

    test("in a bare repository", async () => {
      git("config", "core.bare", "true")
      await refused(
        "is a bare repository, which has no files to work on; start opencode in a working tree",
      ).finally(() => git("config", "core.bare", "false"))
    })

    test("with submodules", async () => {
      git("update-index", "--add", "--cacheinfo", `160000,${git("rev-parse", "HEAD").trim()},sub`)
      await refused('the repository has submodules, which a worktree does not contain: "sub"').finally(() =>
        git("rm", "--quiet", "--cached", "sub"),
      )
    })

    test("with files in conflict", async () => {
      const blob = execFileSync("git", ["hash-object", "-w", "--stdin"], { cwd: oc.project, input: "x" })
      const [id, name] = [blob.toString().trim(), "torn.txt"]
      const entries = [1, 2, 3].map((stage) => `100644 ${id} ${stage}\t${name}\n`).join("")
      execFileSync("git", ["update-index", "--index-info"], { cwd: oc.project, input: entries })
      await refused('files are in conflict: "torn.txt"; resolve the conflicts').finally(() =>
        git("rm", "--quiet", "--cached", "--ignore-unmatch", name),
      )
    })

    test("before the first commit", async () => {
      const head = git("symbolic-ref", "HEAD").trim()
      git("symbolic-ref", "HEAD", "refs/heads/unborn")
      await refused("has no commit yet; commit something first").finally(() =>
        git("symbolic-ref", "HEAD", head),
      )
    })

    test("where there is no repository, or no longer", async () => {
      rmSync(join(oc.project, ".git"), { recursive: true })
      const owner = await oc.session()
      const { error } = await run(owner, isolated("a", "never asked"))
      expect(error).toMatchObject({ kind: "isolation" })
      expect(error?.message).toContain("there is no git repository")
    })
  })
})
