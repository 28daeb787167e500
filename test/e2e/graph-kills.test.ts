import { execFileSync } from "node:child_process"
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { JobRecord } from "../../src/machines/record.ts"
import type { AnyOpencode, AnyProject } from "../support/any-opencode.ts"
import { isDeep } from "../support/depth.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { jobsOf } from "../support/jobs.ts"
import type { Reply } from "../support/replies.ts"
import {
  type ModelRequest,
  type ScriptedModel,
  startScriptedModel,
  textOf,
} from "../support/scripted-model.ts"
import { type TempFolder, tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

type Mode = "resume" | "fail"
/** Where a graph is as opencode is killed: one crash meets them all, each with an owner of its own. */
type Moment =
  /** The first child is asked by its first model, or by the second, which takes over. */
  | "leaving"
  | "asking"
  /** What it has done is being committed, checked, sent back to it, or is as it should be and not yet said to be. */
  | "committing"
  | "checking"
  | "telling"
  | "answering"
  /** The first job for an item that another has found is at work, or that which starts from another's worktree. */
  | "items"
  | "starting"
  /** The last one is at work, which needs all the others. */
  | "ending"
  /** The worktree for an item is being made. Nobody else makes one meanwhile: it is the last to get there. */
  | "making"

const [modes, moments]: [Mode[], Moment[]] = isDeep
  ? [
      ["resume", "fail"],
      [
        "leaving",
        "asking",
        "committing",
        "checking",
        "telling",
        "answering",
        "items",
        "starting",
        "ending",
        "making",
      ],
    ]
  : [["resume"], ["committing", "checking", "making"]]

/** What a child is told that is to go on, whatever it was at. */
const goOn = "put it straight now"
const tokens = { input: 400, output: 100 }

describeBoth("A graph with all that one may have, killed -9", ({ start, tools }) => {
  let model: ScriptedModel
  let oc: AnyOpencode
  let projects: Record<Mode, AnyProject>
  let folder: TempFolder
  const killed = gate()
  let isKilled = false
  const owners = new Map<string, string>()
  /** What holds the first job that others need, until all jobs are there. */
  const begun = new Map<string, ReturnType<typeof gate<string>>>()
  /** The jobs that have answered, as often as they have. */
  const answered: string[] = []

  const linesOf = (name: string) => {
    const path = join(folder.path, name)
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : []
  }
  const reach = (moment: Moment, mode: Mode) =>
    appendFileSync(join(folder.path, "reached"), `${moment} ${mode}\n`)
  const promptOf = (job: string, of: string) => `work on ${job} of ${of}.`

  /** Whose conversation it is: opencode 2 has words of its own before the prompt, which comes after results of others. */
  function askedIn({ messages }: ModelRequest) {
    const prompts = messages
      .filter(({ role }) => role === "user")
      .map((message) => [...textOf(message).matchAll(/work on (\w+) of (\w+) (\w+)\./g)].at(-1))
    const [, job = "", moment = "", mode = ""] = prompts.find((found) => found !== undefined) ?? []
    return { job, moment, mode, name: `${job} ${moment} ${mode}` }
  }

  async function reply(request: ModelRequest): Promise<Reply> {
    const { job, moment, mode, name } = askedIn(request)
    if (job === "") return { type: "text", text: "ok" }
    const holdAt = (at: Moment, whose: string, text = ""): Reply | undefined => {
      if (isKilled || at !== moment || job !== whose) return undefined
      reach(at, mode === "fail" ? "fail" : "resume")
      return { type: "hold", text, until: killed.passed }
    }
    if (request.model === "m2")
      return (
        holdAt("leaving", "build") ?? {
          type: "error",
          status: 401,
          body: { error: { message: "Invalid API key" } },
        }
      )
    const isTold = request.text.includes("does not count as done yet")
    const answer = (text: string): Reply => {
      answered.push(name)
      return { type: "text", text, tokens }
    }
    if (job === "plan") {
      await begun.get(`${moment} ${mode}`)?.passed
      return answer('["x"]')
    }
    if (job === "end") return holdAt("ending", "end") ?? answer('{"n": 1}')
    if (request.messages.at(-1)?.role === "tool")
      return (isTold ? holdAt("answering", "build", "half") : undefined) ?? answer(`${job} is over`)
    const held =
      holdAt(isTold ? "telling" : "asking", "build") ?? holdAt("items", "x") ?? holdAt("starting", "next")
    if (held) return held
    const content = isTold || request.text.includes(goOn) ? "straight" : "crooked"
    const command = job === "build" ? `printf ${content} > build.slow` : `printf ${job} > ${job}.txt`
    return { type: "tool", calls: [tools.shell(command)], tokens }
  }

  beforeAll(async () => {
    folder = tempFolder("graph-kills")
    model = await startScriptedModel()
    model.on(() => true, reply)
    const pluginThat = (recover: Mode) => ({
      options: { recover, concurrency: 64, notify: "never", inspector: { enabled: false } },
    })
    oc = await start({ model, plugin: pluginThat("resume") })
    projects = {
      resume: oc,
      fail: isDeep ? await oc.open({ model, plugin: pluginThat("fail") }) : oc,
    }
    for (const mode of modes) slowDown(mode)
    await beginDear()
    for (const isLast of [false, true]) {
      const now = moments.filter((moment) => (moment === "making") === isLast)
      // One kind after the other: so many at once are more than opencode 2 can do with in its limits.
      for (const mode of modes) {
        for (const moment of now) await begin(moment, mode)
        for (const moment of now)
          await poll(
            `${moment} with ${mode}`,
            () => linesOf("reached").includes(`${moment} ${mode}`) || undefined,
            { timeoutMs: 60_000 },
          )
      }
    }
    await oc.kill()
    isKilled = true
    writeFileSync(join(folder.path, "killed"), "")
    killed.open("")
    await oc.restart()
    for (const [of, owner] of owners) {
      const project = projects[of.endsWith("fail") ? "fail" : "resume"]
      await project.callTool(owner, "agents_wait", {})
    }
  }, 600_000)

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
    folder.remove()
  })

  /** Has git wait where a run is to be killed while git works. What it does by then goes on after the kill. */
  function slowDown(mode: Mode): void {
    const { project } = projects[mode]
    const git = (...args: string[]) => execFileSync("git", args, { cwd: project, stdio: "pipe" })
    const filter = join(folder.path, "filter")
    const script = [
      "#!/bin/sh",
      'case "$1 $2 $PWD" in',
      '"smudge "*/*-each-making-*) moment=making;;',
      '"clean build.slow "*-build-committing) moment=committing;;',
      "esac",
      `if [ -n "$moment" ] && [ ! -e ${folder.path}/killed ]; then`,
      `  echo "$moment $3" >> ${folder.path}/reached`,
      `  while [ -d ${folder.path} ] && [ ! -e ${folder.path}/killed ]; do sleep 0.1; done`,
      "fi",
      "cat",
    ]
    writeFileSync(filter, `${script.join("\n")}\n`, { mode: 0o755 })
    writeFileSync(join(project, ".gitattributes"), "*.slow filter=slow\n")
    writeFileSync(join(project, "there.slow"), "there\n")
    git("add", "--all")
    git("-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "slow")
    for (const kind of ["smudge", "clean"])
      git("config", `filter.slow.${kind}`, `${filter} ${kind} %f ${mode}`)
    git("config", "filter.slow.required", "true")
  }

  /** A list, a job for each of its items, one that moves to another model and is sent back, one from where that ends. */
  async function begin(moment: Moment, mode: Mode): Promise<void> {
    const of = `${moment} ${mode}`
    const owner = await projects[mode].session()
    owners.set(of, owner)
    const all = gate()
    begun.set(of, all)
    const id = (name: string) => `${name}-${moment}`
    const checked = (name: string, command: string) => ({
      command: `echo ${name} ${of} >> ${folder.path}/checks; ${command}`,
      attempts: 1,
    })
    const list = { type: "array", items: { type: "string" } }
    const number = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] }
    const wait =
      moment === "checking"
        ? `test -e ${folder.path}/killed || { echo ${of} >> ${folder.path}/reached; exec sleep 600; }; `
        : ""
    const isolation = "worktree"
    const itemsCheck = `echo x ${of} >> ${folder.path}/checks; test -e x.txt`
    const tasks = [
      {
        id: id("end"),
        prompt: promptOf("end", of),
        needs: [id("next"), id("each")],
        schema: number,
        check: checked("end", "true"),
      },
      { id: id("plan"), prompt: promptOf("plan", of), schema: list, check: checked("plan", "true") },
      {
        id: id("build"),
        prompt: promptOf("build", of),
        isolation,
        model: ["fake/m2", "fake/m1"],
        check: checked("build", `${wait}grep -q straight build.slow`),
      },
      {
        id: id("next"),
        prompt: promptOf("next", of),
        needs: [id("build")],
        isolation: { from: id("build") },
        check: checked("next", "grep -q straight build.slow"),
      },
      {
        id: id("each"),
        prompt: promptOf("{{item}}", of),
        each: { from: id("plan") },
        isolation,
        check: { command: itemsCheck, attempts: 1 },
      },
    ]
    const args = { tasks, budget: { tokens: 1_000_000 } }
    // A turn that is over only after the kill is none.
    projects[mode].callTool(owner, "agents_start", args).then(
      () => all.open(""),
      () => {},
    )
  }

  /** A batch whose first job has spent most of its budget, and whose second one is at work. */
  async function beginDear(): Promise<void> {
    const owner = await oc.session()
    owners.set("dear", owner)
    model.on("spend much", { type: "text", text: "spent", tokens: { input: 500, output: 100 } })
    model.on("spend the rest", () =>
      isKilled
        ? { type: "text", text: "spent as well", tokens: { input: 500, output: 100 } }
        : { type: "hold", until: killed.passed },
    )
    const tasks = [
      { id: "much", prompt: "spend much", isolation: "worktree", check: { command: "true" } },
      { id: "rest", prompt: "spend the rest", needs: ["much"] },
      { id: "more", prompt: "spend more", needs: ["rest"] },
    ]
    await oc.callTool(owner, "agents_start", { tasks, budget: { tokens: 1_000 } })
    await model.waitFor(({ text }) => text.includes("spend the rest"), 60_000)
  }

  const endsOf = (jobs: readonly JobRecord[]) =>
    jobs.map(({ id, state, error }) => `${id}: ${state}${error ? ` (${error.kind}: ${error.message})` : ""}`)

  /** An owner's jobs once all have ended, and once more after each round in which those that can go on are told to. */
  async function goneOn(project: AnyProject, owner: string): Promise<JobRecord[][]> {
    const rounds: JobRecord[][] = []
    for (;;) {
      await project.callTool(owner, "agents_wait", {})
      const jobs = jobsOf(await project.callTool(owner, "agents_status", {}))
      rounds.push(jobs)
      const open = jobs.filter(({ error }) => error?.kind === "interrupted" || error?.kind === "check")
      if (open.length === 0 || rounds.length > 4) return rounds
      for (const { id } of open) await project.callTool(owner, "agents_send", { id, message: goOn })
    }
  }

  describe.each(modes)("with recover: %s", (mode) => {
    test.each(moments)("while it is %s: all comes to its end, once", async (moment) => {
      const project = projects[mode]
      const of = `${moment} ${mode}`
      const owner = owners.get(of) ?? ""
      const rounds = await goneOn(project, owner)
      const words = rounds.map((jobs) => endsOf(jobs).join("\n")).join("\n\n")
      const jobs = rounds.at(-1) ?? []
      expect(
        Object.fromEntries(jobs.map(({ id, state }) => [id.replace(`-${moment}`, ""), state])),
        words,
      ).toEqual({
        plan: "done",
        build: "done",
        next: "done",
        each: "done",
        "each.1": "done",
        end: "done",
      })
      // Only a check of which nobody knows how it went waits for somebody to say what is next.
      if (mode === "resume") expect(rounds, words).toHaveLength(moment === "checking" ? 2 : 1)
      const counts = (lines: string[], job: string) => lines.filter((line) => line === `${job} ${of}`).length
      for (const job of ["build", "next", "plan", "x", "end"]) {
        const [checks, answers] = [counts(linesOf("checks"), job), counts(answered, job)]
        expect(checks, `checks of ${job}\n${words}`).toBeLessThanOrEqual(answers)
        if (mode === "resume") expect(checks, `checks of ${job}`).toBe(job === "build" ? 2 : 1)
      }
      const git = (...args: string[]) => execFileSync("git", args, { cwd: project.project, encoding: "utf8" })
      const branches = git("branch", "--list", `troupe/*/*${moment}*`, "--format=%(refname:short)").trim()
      expect(branches.split("\n"), words).toEqual(
        jobs.flatMap(({ worktree }) => worktree?.branch ?? []).sort(),
      )
      const ids = ["build", "next", "each"].map((name) => `${name}-${moment}`)
      const applied = await project.callTool(owner, "agents_apply", {
        ids: [...ids.slice(0, 2), `${ids[2]}.1`],
      })
      expect(applied.output, applied.error).toMatch(/^(Applied|Nothing to apply: your files have all)/)
      const files = ["build.slow", "next.txt", "x.txt"]
      expect(files.map((file) => readFileSync(join(project.project, file), "utf8"))).toEqual([
        "straight",
        "next",
        "x",
      ])
      expect(git("fsck", "--full", "--no-dangling")).toBe("")
    })
  })

  test("its budget counts what was spent before", async () => {
    const owner = owners.get("dear") ?? ""
    await oc.callTool(owner, "agents_wait", {})
    const jobs = jobsOf(await oc.callTool(owner, "agents_status", {}))
    expect(Object.fromEntries(jobs.map(({ id, state, error }) => [id, error?.kind ?? state]))).toEqual({
      much: "done",
      rest: "done",
      more: "budget",
    })
    expect(model.requests.filter(({ text }) => text.includes("spend more"))).toEqual([])
  })
})
