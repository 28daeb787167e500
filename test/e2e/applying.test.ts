import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { PermissionRule } from "../../src/plugin/host/port.ts"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

const lines = (changed: Record<number, string> = {}) =>
  [1, 2, 3, 4, 5, 6, 7, 8, 9].map((line) => `${changed[line] ?? line}\n`).join("")

describeBoth("agents_apply", ({ start, generation, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    // opencode 2 keeps each worktree loaded, and reloads all that it has loaded: others would wait for that.
    oc = await start({ model, plugin: { options: { notify: "never" } } })
    writeFileSync(file("lines.txt"), lines())
    writeFileSync(file("other.txt"), "one\n")
    commit()
  })
  // What an earlier test has applied.
  beforeEach(() => {
    git("reset", "--quiet", "--hard")
    git("clean", "--quiet", "-fd")
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const file = (name: string) => join(oc.project, name)
  const read = (name: string) => readFileSync(file(name), "utf8")
  const git = (...args: string[]) => execFileSync("git", args, { cwd: oc.project, encoding: "utf8" })
  const status = () => git("status", "--porcelain")
  function commit(): void {
    git("add", "--all")
    git("-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "here")
  }

  let count = 0
  /** A job that runs this command in a worktree of its own. */
  async function work(owner: string, id: string, command: string) {
    const prompt = `work ${++count}.`
    model.script(prompt, [
      { type: "tool", calls: [tools.shell(command)] },
      { type: "text", text: "worked" },
    ])
    const tasks = [{ id, prompt, isolation: "worktree" }]
    expect(jobOf(await oc.callTool(owner, "agents_start", { tasks, wait: true })).state).toBe("done")
  }
  const apply = (owner: string, ...ids: string[]) => oc.callTool(owner, "agents_apply", { ids })

  describe("brings", () => {
    test("several jobs in the order named, also what two of them did to one file", async () => {
      const owner = await oc.session()
      await work(owner, "first", "sed -i 's/^1$/one/' lines.txt")
      await work(owner, "second", "sed -i 's/^9$/nine/' lines.txt && echo new > new.txt")
      const applied = await apply(owner, "first", "second")
      expect(applied.output).toContain("Applied first, second: 2 files, not committed: lines.txt, new.txt.")
      expect(read("lines.txt")).toBe(lines({ 1: "one", 9: "nine" }))
      expect(status()).toBe(" M lines.txt\n?? new.txt\n")
      expect((await apply(owner, "first")).output).toBe(
        "Nothing to apply: your files have all that first changed.",
      )
    })

    test("one job after the other, though nothing is committed in between", async () => {
      const owner = await oc.session()
      await work(owner, "top", "sed -i 's/^1$/one/' lines.txt")
      await work(owner, "bottom", "sed -i 's/^9$/nine/' lines.txt")
      for (const id of ["top", "bottom"])
        expect((await apply(owner, id)).output).toContain(`Applied ${id}: 1 file, not committed: lines.txt.`)
      expect(read("lines.txt")).toBe(lines({ 1: "one", 9: "nine" }))
      expect((await oc.callTool(owner, "agents_status", {})).output.match(/, applied/g)).toHaveLength(2)
    })

    test("all jobs of a group", async () => {
      const owner = await oc.session()
      for (const item of ["red", "blue"])
        model.script(`paint ${item}`, [
          { type: "tool", calls: [tools.write(`${item}.txt`, item)] },
          { type: "text", text: "painted" },
        ])
      model.on("find colours", { type: "text", text: '["red", "blue"]' })
      const schema = { type: "array", items: { type: "string" } }
      const tasks = [
        { id: "find", prompt: "find colours", schema },
        { id: "paint", prompt: "paint {{item}}", each: { from: "find" }, isolation: "worktree" },
      ]
      await oc.callTool(owner, "agents_start", { tasks, wait: true })
      expect((await apply(owner, "paint")).output).toContain("Applied paint.1, paint.2: 2 files")
      expect([read("red.txt"), read("blue.txt")]).toEqual(["red", "blue"])
    })
  })

  test("discards a job's worktree with all that was installed in it, once it has said so", async () => {
    const owner = await oc.session()
    writeFileSync(file(".gitignore"), "node_modules\n")
    await work(owner, "install", "mkdir -p node_modules/left-pad && echo 1 > node_modules/left-pad/index.js")
    const discard = () => oc.callTool(owner, "agents_apply", { ids: ["install"], discard: true })
    expect((await discard()).output).toContain("node_modules/")
    expect((await discard()).output).toContain("Discarded install.")
    expect(git("branch", "--list", "troupe/*/install")).toBe("")
  })

  describe("brings nothing, of any job, and says why,", () => {
    test("where two jobs are in conflict", async () => {
      const owner = await oc.session()
      await work(owner, "fine", "echo fine > fine.txt")
      await work(owner, "ours", "sed -i 's/^1$/ours/' lines.txt")
      await work(owner, "theirs", "sed -i 's/^1$/theirs/' lines.txt")
      const { output } = await apply(owner, "fine", "ours", "theirs")
      expect(output).toMatch(
        /^Nothing was applied\.\ntheirs: in conflict with what ours changes in lines\.txt: apply only one of them, .+$/,
      )
      expect(status()).toBe("")
    })

    test("where a file was changed here, and is not committed", async () => {
      const owner = await oc.session()
      await work(owner, "job", "sed -i 's/^1$/job/' lines.txt && echo job >> other.txt")
      writeFileSync(file("lines.txt"), lines({ 9: "mine" }))
      const { output } = await apply(owner, "job")
      expect(output).toMatch(/^Nothing was applied\.\njob: changed here and not committed: lines\.txt; .+$/)
      expect(read("lines.txt")).toBe(lines({ 9: "mine" }))
      expect(status()).toBe(" M lines.txt\n")
    })

    test("where one is unknown, is at work, or had no worktree", async () => {
      const owner = await oc.session()
      await work(owner, "fine", "echo fine > fine.txt")
      const busy = held("half")
      model.on("be busy", busy.reply)
      model.on("be here", { type: "text", text: "was here" })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "here", prompt: "be here" }], wait: true })
      await oc.callTool(owner, "agents_start", {
        tasks: [{ id: "busy", prompt: "be busy", isolation: "worktree" }],
      })
      const { output } = await apply(owner, "fine", "busy", "here", "nobody")
      expect(output.split("\n")).toEqual([
        "Nothing was applied.",
        'nobody: there is no job "nobody"; agents_status shows all.',
        "busy: it is still at work: wait for it or cancel it.",
        "here: it has no worktree of its own: what it did is in the project already.",
      ])
      expect(status()).toBe("")
      await oc.callTool(owner, "agents_cancel", { all: true })
    })

    test("where it is another owner's, whose work it may not throw away either", async () => {
      const [owner, other] = [await oc.session(), await oc.session()]
      await work(owner, "theirs", "echo theirs > theirs.txt")
      expect((await apply(other, "theirs")).output).toBe(
        'Nothing was applied.\ntheirs: there is no job "theirs"; agents_status shows all.',
      )
      const discard = () => oc.callTool(other, "agents_apply", { ids: ["theirs"], discard: true })
      for (const { output } of [await discard(), await discard()])
        expect(output).toContain('theirs: there is no job "theirs"')
      expect(status()).toBe("")
      expect((await apply(owner, "theirs")).output).toContain("Applied theirs")
    })

    test("of a group whose jobs are still to come", async () => {
      const owner = await oc.session()
      model.on("find them", held("half").reply)
      const schema = { type: "array", items: { type: "string" } }
      const tasks = [
        { id: "find", prompt: "find them", schema },
        { id: "paint", prompt: "paint {{item}}", each: { from: "find" }, isolation: "worktree" },
      ]
      await oc.callTool(owner, "agents_start", { tasks })
      const { output } = await apply(owner, "paint")
      expect(output).toBe("Nothing was applied.\npaint: it is still at work: wait for it or cancel it.")
      await oc.callTool(owner, "agents_cancel", { all: true })
    })

    test("of one that could be given no worktree, and so has done nothing", async () => {
      const owner = await oc.session()
      git("config", "core.bare", "true")
      const tasks = [{ id: "none", prompt: "never asked", isolation: "worktree" }]
      await oc
        .callTool(owner, "agents_start", { tasks, wait: true })
        .finally(() => git("config", "core.bare", "false"))
      const { output } = await apply(owner, "none")
      expect(output).toBe(
        "Nothing was applied.\nnone: it never began, so it has done nothing: start it as a new job.",
      )
    })
  })

  describe("asks as the user's rules for edit say", () => {
    const rule = (pattern: string, action: PermissionRule["action"]): PermissionRule => ({
      permission: "edit",
      pattern,
      action,
    })

    /** What a session was asked for, in order, each answered as it is given. */
    async function answering(owner: string, ...replies: ("once" | "reject")[]): Promise<string[]> {
      const asked: string[] = []
      for (const reply of replies) {
        const { request } = await oc.events.waitFor("request.opened", (event) => {
          const all = oc.events.seen.filter(
            (each) => each.type === "request.opened" && each.session === owner,
          )
          return all[asked.length] === event
        })
        asked.push(request.text)
        await oc.reply(owner, request.id, reply)
      }
      return asked
    }
    const requests = (owner: string) =>
      oc.events.seen.filter((each) => each.type === "request.opened" && each.session === owner).length

    test("for all files, and writes them once it is granted", async () => {
      const owner = await oc.session({ rules: [rule("*", "ask")] })
      await work(owner, "job", "echo two > other.txt && echo 2 > lines.txt")
      const applying = oc.startTool(owner, "agents_apply", { ids: ["job"] })
      if (generation === 1) expect(await answering(owner, "once")).toEqual(["edit: lines.txt, other.txt"])
      else expect(await answering(owner, "once", "once")).toEqual(["edit: lines.txt", "edit: other.txt"])
      expect((await applying.done).output).toContain("Applied job: 2 files")
      expect([read("lines.txt"), read("other.txt")]).toEqual(["2\n", "two\n"])
    })

    test("and writes none where a person refuses one", async () => {
      const owner = await oc.session({ rules: [rule("*", "ask")] })
      await work(owner, "job", "echo two > other.txt && echo 2 > lines.txt")
      const applying = oc.startTool(owner, "agents_apply", { ids: ["job"] })
      const replies = generation === 1 ? (["reject"] as const) : (["once", "reject"] as const)
      await answering(owner, ...replies)
      const { output, error } = await applying.done.catch((thrown) => ({ output: "", error: String(thrown) }))
      expect(`${output}${error ?? ""}`).toMatch(/refused|rejected/)
      expect(status()).toBe("")
    })

    test("of a file that is not there yet: opencode 2 lets no plugin ask for it", async () => {
      const owner = await oc.session({ rules: [rule("*", "ask")] })
      await work(owner, "job", "echo new > new.txt && echo two > other.txt")
      const applying = oc.startTool(owner, "agents_apply", { ids: ["job"] })
      if (generation === 1) {
        expect(await answering(owner, "once")).toEqual(["edit: new.txt, other.txt"])
        expect((await applying.done).output).toContain("Applied job")
        expect(read("new.txt")).toBe("new\n")
      } else {
        const { output } = await applying.done
        expect(output).toContain("the rules say to ask for new.txt")
        expect(output).toContain("allow `edit` for it in the configuration, or copy it from the worktree")
        expect([status(), requests(owner)]).toEqual(["", 0])
      }
    })

    test("and writes none where one is denied", async () => {
      const owner = await oc.session({ rules: [rule("*", "allow"), rule("secret/*", "deny")] })
      await work(owner, "new", "mkdir secret && echo x > secret/key && echo two > other.txt")
      expect((await apply(owner, "new")).output).toBe(
        'Nothing was applied.\nnew: "build" may not edit these files.',
      )
      expect([status(), existsSync(file("secret")), requests(owner)]).toEqual(["", false, 0])
    })

    test("and discards nothing that is nowhere else where all is denied", async () => {
      const owner = await oc.session({ rules: [rule("*", "deny")] })
      await work(owner, "job", "echo new > new.txt && echo two > other.txt")
      const discard = () => oc.callTool(owner, "agents_apply", { ids: ["job"], discard: true })
      expect((await discard()).output).toContain("Repeat the same call to confirm.")
      expect((await discard()).output).toMatch(
        /^Nothing was discarded: "build" may not edit these files, .+ --discard troupe\/\S+$/,
      )
      expect(git("branch", "--list", "troupe/*/job")).not.toBe("")
    })

    test("and writes none where all is denied", async () => {
      const owner = await oc.session({ rules: [rule("*", "deny")] })
      await work(owner, "job", "echo two > other.txt")
      expect((await apply(owner, "job")).output).toBe(
        'Nothing was applied.\njob: "build" may not edit these files.',
      )
      expect([status(), requests(owner)]).toEqual(["", 0])
    })
  })
})
