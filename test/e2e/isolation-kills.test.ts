import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { JobRecord } from "../../src/machines/record.ts"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, recordOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

/** Enough that whoever sees the first of them can end opencode before the last one is there. */
const many = 100

describeBoth("Worktrees of jobs, after a kill -9", ({ start, tools }) => {
  let model: ScriptedModel
  let oc: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await start({ model, plugin: { options: { notify: "never", recover: "resume" } } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const git = (...args: string[]) => execFileSync("git", args, { cwd: oc.project, encoding: "utf8" })
  const file = (name: string) => join(oc.project, name)
  const isSound = () => git("fsck", "--full", "--no-dangling")

  /** A job that writes a file, and is at work on the next thing. */
  async function begin(owner: string, id: string, name: string) {
    const prompt = `${id} writes ${name}.`
    const asked = () => model.requests.filter(({ text }) => text.includes(prompt))
    model.on(
      ({ text }) => text.includes(prompt),
      () => {
        if (asked().length === 1) return { type: "tool", calls: [tools.write(name, `${id}\n`)] }
        return asked().length === 2 ? held("half").reply : { type: "text", text: "went on" }
      },
    )
    const tasks = [{ id, prompt, isolation: "worktree" }]
    const { worktree, session } = jobOf(await oc.callTool(owner, "agents_start", { tasks }))
    await poll("its second request", async () => asked().length === 2 || undefined)
    if (!worktree) throw new Error(`${id} has no worktree`)
    return { worktree, session }
  }

  test("go on with their jobs, and what was written before is applied with the rest", async () => {
    const owner = await oc.session()
    const { worktree } = await begin(owner, "goes", "early.txt")
    await oc.kill()
    await oc.restart()
    const job = jobOf(await oc.callTool(owner, "agents_wait", {}))
    expect(job).toMatchObject({ state: "done", worktree: { ...worktree, files: 1 } })
    expect(git("show", `${worktree.branch}:early.txt`)).toBe("goes\n")
    expect((await oc.callTool(owner, "agents_apply", { ids: ["goes"] })).output).toContain(
      "Applied goes: 1 file",
    )
    expect(readFileSync(file("early.txt"), "utf8")).toBe("goes\n")
    expect(isSound()).toBe("")
  })

  test("undo or finish an agents_apply that was cut off, as soon as the plugin is loaded again", async () => {
    const owner = await oc.session()
    model.script("write many.", [
      {
        type: "tool",
        calls: [tools.shell(`mkdir many; for i in $(seq ${many}); do echo $i > many/$i; done`)],
      },
      { type: "text", text: "wrote them" },
    ])
    const tasks = [{ id: "many", prompt: "write many.", isolation: "worktree" }]
    await oc.callTool(owner, "agents_start", { tasks, wait: true })
    const written = () => (existsSync(file("many")) ? readdirSync(file("many")).length : 0)
    let isOver = false
    const end = () => {
      isOver = true
    }
    oc.startTool(owner, "agents_apply", { ids: ["many"] }).done.then(end, end)
    while (written() === 0 && !isOver) await new Promise((resolve) => setImmediate(resolve))
    await oc.kill()
    await oc.restart()
    await oc.session()
    await poll("the end of what was cut off", async () => [0, many].includes(written()) || undefined)
    expect(
      git("status", "--porcelain")
        .split("\n")
        .filter((line) => line.includes("troupe")),
    ).toEqual([])
    await oc.callTool(owner, "agents_apply", { ids: ["many"] })
    expect(written()).toBe(many)
    expect(readFileSync(file(`many/${many}`), "utf8")).toBe(`${many}\n`)
    expect(isSound()).toBe("")
  })

  test("stay with all that was written where jobs are failed, and are applied or tidied up", async () => {
    const [owner, gone] = [await oc.session(), await oc.session()]
    const { worktree, session } = await begin(owner, "fails", "left.txt")
    model.on("does nothing", { type: "text", text: "nothing" })
    const idle = { prompt: "does nothing", isolation: "worktree" }
    const start = async (session: string, id: string) =>
      jobOf(await oc.callTool(session, "agents_start", { tasks: [{ id, ...idle }], wait: true })).worktree
    const [kept, tidied] = [await start(owner, "kept"), await start(gone, "tidied")]
    const { worktree: holding } = await begin(gone, "holds", "held.txt")
    await oc.deleteSession(gone)
    await oc.kill()
    fail()
    await oc.restart()
    await oc.session()
    await recordOf(oc, owner, "fails", ({ state }) => state === "failed")
    if (!tidied) throw new Error("tidied has no worktree")
    // Its note goes last.
    await poll("the end of the clean one", async () => !existsSync(`${tidied.directory}.json`) || undefined)
    expect(existsSync(tidied.directory)).toBe(false)
    expect(git("branch", "--list", tidied.branch)).toBe("")
    expect([kept, holding, worktree].map((each) => existsSync(each?.directory ?? ""))).toEqual([
      true,
      true,
      true,
    ])
    expect(readFileSync(join(holding.directory, "held.txt"), "utf8")).toBe("holds\n")
    const status = await oc.callTool(owner, "agents_status", { ids: ["fails"] })
    expect(jobOf(status)).toMatchObject({ session, state: "failed", error: { kind: "interrupted" } })
    const applied = await oc.callTool(owner, "agents_apply", { ids: ["fails"] })
    expect(`${applied.output}${applied.error ?? ""}`).toContain(
      "Applied fails: 1 file, not committed: left.txt.",
    )
    expect(readFileSync(file("left.txt"), "utf8")).toBe("fails\n")
    expect(isSound()).toBe("")
  })

  /** From the next start on, jobs of an opencode that is gone fail. */
  function fail(): void {
    const config = readFileSync(file("opencode.json"), "utf8")
    writeFileSync(file("opencode.json"), config.replace('"recover": "resume"', '"recover": "fail"'))
  }
})

describeBoth("Jobs in worktrees whose opencode is killed as they are to be checked", ({ start, tools }) => {
  let model: ScriptedModel
  let oc: AnyOpencode
  let [unsealed, begun, running] = ["", "", ""]
  let outside = ""

  const linesOf = (name: string) => {
    const path = join(outside, name)
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : []
  }

  /** A job that writes a file, and has to pass a check that tells outside of its worktree how often it has run. */
  async function begin(name: string, command: string): Promise<string> {
    const owner = await oc.session()
    model.script(`write ${name}.`, [
      { type: "tool", calls: [tools.write(`${name}.txt`, `${name}\n`)] },
      { type: "text", text: `wrote ${name}` },
    ])
    const check = { command: `cat ${name}.txt; echo run >> "${outside}/${name}.log"; ${command}` }
    const tasks = [{ id: name, prompt: `write ${name}.`, isolation: "worktree", check }]
    await oc.callTool(owner, "agents_start", { tasks })
    return owner
  }

  const git = (...args: string[]) => execFileSync("git", args, { cwd: oc.project, encoding: "utf8" })
  const file = (name: string) => join(oc.project, name)

  /** One crash meets them all: each has an owner of its own, and is somewhere else on its way. */
  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await start({ model, plugin: { options: { notify: "never", recover: "resume" } } })
    outside = join(oc.home, "outside")
    mkdirSync(outside)
    // git asks a filter of the repository for what it is to commit, which takes its time here.
    const filter = `touch ${outside}/unsealed.began; until test -e ${outside}/open; do sleep 0.05; done; cat`
    git("config", "filter.held.clean", filter)
    writeFileSync(file(".git/info/attributes"), "unsealed.txt filter=held\n")
    const untilRipe = `echo $$ > "${outside}/pid"; test -e "${outside}/ripe" || exec sleep 600`
    ;[unsealed, running] = await Promise.all([begin("unsealed", "true"), begin("running", untilRipe)])
    await poll("a commit", async () => existsSync(join(outside, "unsealed.began")) || undefined)
    await poll("a check", async () => linesOf("pid")[0])
    begun = await begin("begun", untilRipe)
    await poll("a check on record", async () =>
      (await oc.stored(begun)).find(({ checking }) => checking && !checking.result),
    )
    await oc.kill()
    await oc.restart()
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  /** What the child has written is on its branch, by itself. */
  function requireWork(job: JobRecord, name: string): void {
    expect(git("show", `${job.worktree?.branch}:${name}.txt`)).toBe(`${name}\n`)
    expect(git("rev-parse", job.worktree?.branch ?? "")).toBe(`${job.worktree?.commit}\n`)
    expect(job.worktree).toMatchObject({ files: 1, insertions: 1, deletions: 0 })
    expect(git("fsck", "--full", "--no-dangling")).toBe("")
  }

  test("before its work is committed: it is, once, and the check runs once", async () => {
    writeFileSync(join(outside, "open"), "")
    const job = jobOf(await oc.callTool(unsealed, "agents_wait", {}))
    expect(job).toMatchObject({ state: "done", check: { exitCode: 0, rounds: 1, output: "unsealed" } })
    expect(git("rev-list", "--count", `${job.worktree?.base}..${job.worktree?.branch}`)).toBe("1\n")
    requireWork(job, "unsealed")
    expect(linesOf("unsealed.log")).toEqual(["run"])
    expect(model.requests.filter(({ text }) => text === "write unsealed.")).toHaveLength(2)
  })

  test.each([
    ["once its check is on record", "begun"],
    ["while its check runs", "running"],
  ])("%s: the job has failed with all of its work, and goes on when it is told to", async (_, name) => {
    const owner = name === "begun" ? begun : running
    const ended = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf(ended)).toMatchObject({
      state: "failed",
      error: { kind: "check", message: expect.stringContaining("never runs twice for one answer") },
    })
    expect(ended.output).toContain(`wrote ${name}`)
    requireWork(jobOf(ended), name)
    // One that was only about to run may have been ended before its first word.
    const before = linesOf(`${name}.log`)
    expect(before.length).toBeLessThanOrEqual(1)
    if (name === "running") expect(before).toEqual(["run"])

    writeFileSync(join(outside, "ripe"), "")
    model.on("look again", { type: "text", text: "looked" })
    await oc.callTool(owner, "agents_send", { id: name, message: "look again" })
    const again = jobOf(await oc.callTool(owner, "agents_wait", {}))
    expect(again).toMatchObject({ state: "done", check: { exitCode: 0, rounds: 1, output: name } })
    requireWork(again, name)
    expect(linesOf(`${name}.log`)).toEqual([...before, "run"])
    const applied = await oc.callTool(owner, "agents_apply", { ids: [name] })
    expect(applied.output).toContain(`Applied ${name}: 1 file`)
    expect(readFileSync(file(`${name}.txt`), "utf8")).toBe(`${name}\n`)
  })
})
