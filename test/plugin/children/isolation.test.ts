import { existsSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { WorktreeError } from "../../../src/plugin/worktrees/errors.ts"
import { failed, ok, okAgents } from "../support/host-double.ts"
import { gitDone, isolatedServices } from "../support/isolated.ts"
import { agentOf } from "../support/opencode-data.ts"
import { filesIn, writeAll } from "../worktrees/support/repository.ts"

const full = new WorktreeError("noSpace", "the disk is full", "make room on it and try again")

describe("A job in a worktree of its own", () => {
  it("works there, and its record says on which branch and with which commit it ended", async () => {
    const { begin, finish, recordOf, repo, directoryOf } = isolatedServices()
    await begin("one")
    await finish("one", { "a.txt": "of one\n" })
    const { state, worktree } = recordOf("one") ?? {}
    expect([state, worktree?.files]).toEqual(["done", 1])
    expect(repo.git("show", `${worktree?.commit}:a.txt`)).toBe("of one")
    expect(repo.git("rev-parse", worktree?.branch ?? "")).toBe(worktree?.commit)
    expect(directoryOf("one").startsWith(repo.folder)).toBe(true)
    expect(filesIn(repo.path)["a.txt"]).toBe("644 1\n")
  })

  it("says in its result which of its files another job has changed while it was checked, whatever the check writes", async () => {
    const { start, finish, recordOf, repo } = isolatedServices()
    const gate = join(repo.folder, "gate")
    const command = `date > b.txt; until [ -e '${gate}' ]; do sleep 0.02; done`
    await start({ id: "one", prompt: "do one", isolation: "worktree", check: { command } })
    await start({ id: "two", prompt: "do two", isolation: "worktree" })
    const ended = finish("one", { "a.txt": "of one\n" })
    await gitDone(() => recordOf("one")?.phase === "checking")
    const { commit } = recordOf("one")?.worktree ?? {}
    await finish("two", { "a.txt": "of two\n", "b.txt": "of two\n" })
    writeFileSync(gate, "")
    await ended
    const { state, worktree } = recordOf("one") ?? {}
    expect([state, worktree?.commit]).toEqual(["done", commit])
    expect(worktree?.overlaps).toEqual([{ job: "two", files: ["a.txt"] }])
  })

  it("has failed where what it did cannot be committed: where it is is said, and its text is kept", async () => {
    const { begin, finish, recordOf, call, directoryOf } = isolatedServices({}, () => ({
      seal: () => Promise.reject(full),
    }))
    await begin("one")
    await finish("one", { "a.txt": "of one\n" }, "what I found")
    expect(recordOf("one")).toMatchObject({
      state: "failed",
      error: {
        kind: "isolation",
        message: `what it did could not be committed, and is in ${directoryOf("one")}: ${full.message}`,
      },
    })
    expect((await call("agents_wait", { ids: ["one"] })).output).toContain("what I found")
    expect(existsSync(directoryOf("one"))).toBe(true)
  })

  describe("whose branch another git process has locked as it ends", () => {
    /** A job that has ended so, in its first run or in a later one. */
    async function lockedOut({ isFollowUp = false } = {}) {
      const stage = isolatedServices()
      await stage.begin("one")
      if (isFollowUp) {
        await stage.finish("one", { "first.txt": "first\n" })
        await stage.call("agents_send", { id: "one", message: "go on" })
      }
      const file = join(stage.repo.path, `.git/refs/heads/${stage.recordOf("one")?.worktree?.branch}.lock`)
      writeFileSync(file, "")
      const advice =
        `what it changed is in ${stage.directoryOf("one")} and not committed; ` +
        "agents_apply would commit it and bring it into your files as it is: "
      return { ...stage, free: () => rmSync(file), advice }
    }

    it.each([{ isFollowUp: false }, { isFollowUp: true }])(
      "has failed with words, and is applied whole once that is over: %o",
      async (how) => {
        const { finish, recordOf, call, apply, free, advice, repo } = await lockedOut(how)
        await finish("one", { "a.txt": "of one\n" }, "what I found")
        expect(recordOf("one")?.error?.message).toContain(
          "another git process holds a lock in the repository",
        )
        expect(recordOf("one")?.worktree).not.toHaveProperty("commit")
        const { output } = await call("agents_wait", { ids: ["one"] })
        expect(output).toContain("wait until it has ended; remove the lock file where none runs")
        expect(output).toContain(advice)
        expect((await apply(["one"])).output).toContain("another git process holds a lock")
        free()
        expect((await apply(["one"])).title).toBe(how.isFollowUp ? "2 files applied" : "1 file applied")
        expect(filesIn(repo.path)["a.txt"]).toBe("644 of one\n")
      },
    )

    it("is done once it was told to go on, with all of its work on its branch", async () => {
      const { finish, recordOf, call, free, repo } = await lockedOut()
      await finish("one", { "a.txt": "of one\n" })
      free()
      await call("agents_send", { id: "one", message: "go on" })
      await finish("one", { "b.txt": "of one\n" })
      expect(recordOf("one")).toMatchObject({ state: "done", worktree: { files: 2 } })
      expect(repo.git("show", `${recordOf("one")?.worktree?.commit}:a.txt`)).toBe("of one")
    })

    it("says in its result where its work is if it is cancelled", async () => {
      const { call, recordOf, directoryOf, advice } = await lockedOut({ isFollowUp: true })
      writeAll(directoryOf("one"), { "a.txt": "half\n" })
      await call("agents_cancel", { ids: ["one"] })
      const { output } = await call("agents_wait", { ids: ["one"] })
      expect(recordOf("one")?.state).toBe("cancelled")
      expect(output).toContain(advice)
    })
  })

  it("has what it did committed where it is cancelled in the middle of it", async () => {
    const { begin, call, recordOf, directoryOf, repo } = isolatedServices()
    await begin("one")
    rmSync(`${directoryOf("one")}/a.txt`)
    await call("agents_cancel", { ids: ["one"] })
    await call("agents_wait", { ids: ["one"] })
    const { commit, files } = recordOf("one")?.worktree ?? {}
    expect(files).toBe(1)
    expect(repo.git("ls-tree", "--name-only", commit ?? "")).toBe("b.txt")
  })

  it("waits for an opencode that takes its time to load the worktree", async () => {
    const answers = [
      { ok: false as const, error: { message: "no answer", isInDoubt: true } },
      { ok: false as const, error: { message: "no answer", isInDoubt: true } },
    ]
    const asked: number[] = []
    const { begin, finish, recordOf } = isolatedServices({
      offeredIn: async () => {
        asked.push(performance.now())
        const agents = okAgents(agentOf("general"))
        return answers.shift() ?? (agents.ok ? ok({ agents: agents.value }) : agents)
      },
    })
    await begin("one")
    await finish("one")
    expect([recordOf("one")?.state, answers]).toEqual(["done", []])
    // However fast it answers, it is given time. A timer may be early by a millisecond.
    const [first = 0, second = 0, third = 0] = asked
    expect(second - first).toBeGreaterThan(240)
    expect(third - second).toBeGreaterThan(490)
  })

  it("is never asked where opencode says that it cannot load the worktree", async () => {
    const { start, recordOf, host, call } = isolatedServices({ offeredIn: async () => failed("no", 500) })
    await start({ id: "one", prompt: "do one", isolation: "worktree" })
    await call("agents_wait", { ids: ["one"] })
    expect(recordOf("one")).toMatchObject({ state: "failed", error: { kind: "isolation" } })
    expect(host.prompts).toEqual([])
  })

  it("is never asked where its agent is not in what git tracks, and the owner hears what to do", async () => {
    const { start, call, recordOf, host } = isolatedServices({ offeredIn: async () => ok({ agents: [] }) })
    await start({ id: "one", prompt: "do one", isolation: "worktree" })
    await call("agents_wait", { ids: ["one"] })
    expect(recordOf("one")?.error?.message).toBe(
      'there is no agent "general" in its worktree, which has only the configuration that git tracks: ' +
        "commit what defines it, or define it in the user's own configuration",
    )
    expect(host.prompts).toEqual([])
  })

  it("takes no message once its worktree was removed", async () => {
    const { begin, finish, call, directoryOf, host } = isolatedServices()
    await begin("one")
    await finish("one")
    const directory = directoryOf("one")
    rmSync(directory, { recursive: true })
    await expect(call("agents_send", { id: "one", message: "go on" })).rejects.toThrow(
      `the worktree of one was removed (${directory}), so it cannot continue: start a new job. Nothing was sent.`,
    )
    expect(host.prompts).toHaveLength(1)
  })
})

describe("A job that starts from another's end", () => {
  it("is asked once that has ended, and has all that it did", async () => {
    const { start, finish, directoryOf, recordOf, host } = isolatedServices()
    const { output } = await start(
      { id: "one", prompt: "do one", isolation: "worktree" },
      { id: "two", prompt: "do two, after {{one}}", isolation: { from: "one" } },
    )
    expect(output).toBe("Started: one, two. Carry on; agents_wait returns their results.")
    expect(recordOf("two")?.needs).toEqual([{ id: "one", on: "done" }])
    await finish("one", { "a.txt": "of one\n" }, "what one did")
    await finish("two", { "b.txt": "of two\n" })
    expect(host.prompts.at(-1)?.prompt.text).toMatch(
      /^do two, after <result-\w+ job="one" state="done">\nwhat one did\n/m,
    )
    expect(filesIn(directoryOf("two"))).toMatchObject({ "a.txt": "644 of one\n", "b.txt": "644 of two\n" })
    expect(recordOf("two")?.worktree).toMatchObject({ base: recordOf("one")?.worktree?.commit, files: 1 })
  })

  it.each([
    ["of which nobody knows", [], "it needs other, which is no task of this call and no job of yours"],
    ["without a worktree", [{ id: "other", prompt: "x" }], "other has no worktree of its own to start from"],
    [
      "that stands for several",
      [{ id: "other", prompt: "{{item}}", each: ["x", "y"], isolation: "worktree" }],
      "other stands for several jobs: name one of them, such as other.1\n",
    ],
    [
      "that stands for items which another one is still to find",
      [
        { id: "find", prompt: "find", schema: { type: "array", items: { type: "string" } } },
        { id: "other", prompt: "{{item}}", each: { from: "find" }, isolation: "worktree" },
      ],
      "other stands for several jobs: name one of them, such as other.1, with a later call\n",
    ],
  ])("is refused for one %s", async (_, others, words) => {
    const { start, recordOf } = isolatedServices()
    const { output } = await start(...others, { id: "two", prompt: "do two", isolation: { from: "other" } })
    expect(`${output}\n`).toContain(words)
    expect(recordOf("two")).toBeUndefined()
  })

  it("may start from one item of a list, of its own call or an earlier one, but not from all of them", async () => {
    const { start, finish, directoryOf, recordOf } = isolatedServices()
    const from = (id: string, job: string) => ({ id, prompt: `do ${id}`, isolation: { from: job } })
    await start(
      { id: "other", prompt: "do other {{item}}", each: ["x", "y"], isolation: "worktree" },
      from("two", "other.2"),
    )
    await finish("other.1", { "a.txt": "of x\n" })
    await finish("other.2", { "a.txt": "of y\n" })
    await finish("two", { "b.txt": "of two\n" })
    expect(filesIn(directoryOf("two"))).toMatchObject({ "a.txt": "644 of y\n" })
    const { output } = await start(from("three", "other.1"), from("four", "other"))
    expect(output).toContain(
      "Refused: four: other stands for several jobs: name one of them, such as other.1",
    )
    await finish("three")
    expect(recordOf("three")?.worktree?.base).toBe(recordOf("other.1")?.worktree?.commit)
  })

  it("is refused for a job of an earlier call without a worktree", async () => {
    const { start, recordOf } = isolatedServices()
    await start({ id: "other", prompt: "x" })
    const { output } = await start({ id: "two", prompt: "do two", isolation: { from: "other" } })
    expect(output).toContain("other has no worktree of its own to start from: give it isolation as well")
    expect(recordOf("two")).toBeUndefined()
  })
})
