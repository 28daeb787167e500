import { execFile, execFileSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { opencodeEnv } from "../support/opencode-env.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("Jobs in worktrees of their own", ({ start, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    // opencode 2 keeps each worktree loaded, and reloads all that it has loaded: others would wait for that.
    oc = await start({ model, plugin: { options: { notify: "never", recover: "resume" } } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: oc.project, encoding: "utf8", env: { ...process.env, HOME: oc.home } })
  const file = (name: string) => join(oc.project, name)
  const cli = join(import.meta.dirname, "../../dist/cli.js")
  const worktrees = async (...args: string[]) => {
    const env = opencodeEnv(oc.home)
    return (await promisify(execFile)(process.execPath, [cli, "worktrees", ...args], { env })).stdout
  }

  test("edit the same file at once, and touch neither each other nor the project", async () => {
    writeFileSync(file("shared.txt"), "one\n")
    const owner = await oc.session()
    const ids = Array.from({ length: 12 }, (_, index) => `w${index + 1}`)
    for (const id of ids)
      model.script(`${id} writes.`, [
        { type: "tool", calls: [tools.write("shared.txt", `one\n${id}\n`)] },
        { type: "text", text: "written" },
      ])
    const tasks = ids.map((id) => ({ id, prompt: `${id} writes.`, isolation: "worktree" }))
    const jobs = jobsOf(await oc.callTool(owner, "agents_start", { tasks, wait: true }))
    expect(jobs.map(({ id, state, error }) => ({ id, state, error }))).toEqual(
      ids.map((id) => ({ id, state: "done" })),
    )
    for (const { id, worktree } of jobs) {
      expect(readFileSync(join(worktree?.directory ?? "", "shared.txt"), "utf8")).toBe(`one\n${id}\n`)
      expect(git("show", `${worktree?.branch}:shared.txt`)).toBe(`one\n${id}\n`)
      expect(worktree).toMatchObject({ files: 1, insertions: 1, deletions: 0 })
    }
    expect(readFileSync(file("shared.txt"), "utf8")).toBe("one\n")
    expect(git("status", "--porcelain", "shared.txt")).toBe("?? shared.txt\n")
  })

  test("are applied to the owner's files, uncommitted, and discarded only once it is said what is lost", async () => {
    const owner = await oc.session()
    writeFileSync(file("here.txt"), "one\ntwo\nthree\n")
    git("add", "here.txt")
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.org")
    git("commit", "-qm", "here")
    // Not committed: the job starts from it all the same.
    writeFileSync(file("here.txt"), "one\ntwo\nthree\nfour\n")
    const head = git("rev-parse", "HEAD")
    model.script("add a file", [
      { type: "tool", calls: [tools.write("added.txt", "new\n")] },
      { type: "tool", calls: [tools.edit("here.txt", "two", "2")] },
      { type: "text", text: "added" },
    ])
    const tasks = [{ id: "adds", prompt: "add a file", description: "Add it", isolation: "worktree" }]
    const { worktree } = jobOf(await oc.callTool(owner, "agents_start", { tasks, wait: true }))
    expect(git("log", "--format=%an <%ae>: %s", `${worktree?.base}..${worktree?.branch}`)).toBe(
      "Ada <ada@example.org>: Add it\n",
    )
    expect(git("rev-parse", `${worktree?.base}^`)).toBe(head)
    expect(worktree?.directory).toContain(join(oc.home, ".local/share/opencode-troupe/worktrees/"))
    const said = await oc.callTool(owner, "agents_apply", { ids: ["adds"], discard: true })
    expect(said.output).toContain("Nothing was discarded yet")
    const applied = await oc.callTool(owner, "agents_apply", { ids: ["adds"] })
    expect(`${applied.output}${applied.error ?? ""}`).toContain(
      "Applied adds: 2 files, not committed: added.txt, here.txt.",
    )
    expect(readFileSync(file("added.txt"), "utf8")).toBe("new\n")
    expect(readFileSync(file("here.txt"), "utf8")).toBe("one\n2\nthree\nfour\n")
    expect(git("rev-parse", "HEAD")).toBe(head)
    const discarded = await oc.callTool(owner, "agents_apply", { ids: ["adds"], discard: true })
    expect(discarded.output).toContain("Discarded adds")
    expect(existsSync(worktree?.directory ?? "")).toBe(false)
    expect(git("branch", "--list", worktree?.branch ?? "")).toBe("")
    const sent = await oc.callTool(owner, "agents_send", { id: "adds", message: "go on" })
    expect(sent.error).toContain("the worktree of adds was removed")
  })

  test("are listed by the command worktrees, which tidies up those that hold nothing, and discards the one that is named", async () => {
    const owner = await oc.session()
    const [writing, looking] = [held("written"), held("looked")]
    model.script("write it down", [
      { type: "tool", calls: [tools.write("note.txt", "note\n")] },
      writing.reply,
    ])
    model.on("look at it", looking.reply)
    const isolation = "worktree"
    await oc.callTool(owner, "agents_start", {
      tasks: [
        { id: "notes", prompt: "write it down", isolation },
        { id: "looks", prompt: "look at it", isolation },
      ],
    })
    await model.waitFor(({ text, messages }) => text === "write it down" && messages.at(-1)?.role === "tool")
    await model.waitFor(({ text }) => text === "look at it")
    const [notes, looks] = ["notes", "looks"].map((id) =>
      git("branch", "--list", `troupe/*/${id}`).slice(2, -1),
    )
    const list = await worktrees()
    const [ofNotes, ofLooks] = [notes, looks].map((branch = "") =>
      list.split(/\n(?= {2}\S)/).find((each) => each.includes(branch)),
    )
    expect(list.split("\n")).toContain(oc.project)
    expect(ofNotes).toMatch(/^ {2}notes .* 1 uncommitted file\n/)
    expect(ofNotes).toContain(`owner   ${owner}\n`)
    expect(ofLooks).toMatch(/^ {2}looks .* clean\n(?:.*\n)* +used {4}its job is under way in process \d+/)
    const kept = await worktrees("--tidy")
    expect(kept).toContain(`\n  ${notes}\n    it holds 1 uncommitted file\n`)
    expect(kept).toContain(`\n  ${looks}\n    its job is under way in process `)

    writing.release("")
    looking.release("")
    await oc.callTool(owner, "agents_wait", {})
    const [removed, still] = (await worktrees("--tidy")).split("\nKept ")
    expect(removed).toContain(`\n  ${looks}\n`)
    expect(still).toContain(`\n  ${notes}\n    it holds 1 commit with 1 changed file\n`)

    await worktrees("--discard", notes ?? "", "--yes")
    expect(git("branch", "--list", "troupe/*/notes", "troupe/*/looks")).toBe("")
    const { output } = await oc.callTool(owner, "agents_apply", { ids: ["notes"] })
    expect(output).toContain("notes: it was discarded already: git branch ")
  })

  test("start from where another one has ended", async () => {
    const owner = await oc.session()
    model.script("first step", [
      { type: "tool", calls: [tools.write("step.txt", "first\n")] },
      { type: "text", text: "first done" },
    ])
    model.script(/second step/, [
      { type: "tool", calls: [tools.edit("step.txt", "first", "second")] },
      { type: "text", text: "second done" },
    ])
    const tasks = [
      { id: "first", prompt: "first step", isolation: "worktree" },
      { id: "second", prompt: "second step", isolation: { from: "first" } },
    ]
    const jobs = jobsOf(await oc.callTool(owner, "agents_start", { tasks, wait: true }))
    const [first, second] = jobs
    expect(second).toMatchObject({ state: "done", worktree: { base: first?.worktree?.commit } })
    expect(git("show", `${second?.worktree?.branch}:step.txt`)).toBe("second\n")
  })
})
