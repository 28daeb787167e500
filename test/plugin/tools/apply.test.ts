import { rmSync } from "node:fs"
import { mkdir, realpath } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { StartPermission } from "../../../src/plugin/host/port.ts"
import { type Content, contentAt } from "../../../src/plugin/worktrees/apply/content.ts"
import { writeJournal } from "../../../src/plugin/worktrees/apply/journal.ts"
import { WorktreeError } from "../../../src/plugin/worktrees/errors.ts"
import { applyFolderOf, folderOf } from "../../../src/plugin/worktrees/folder.ts"
import { pathOf } from "../../../src/plugin/worktrees/names.ts"
import { failed } from "../support/host-double.ts"
import { isolatedServices } from "../support/isolated.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"
import { filesIn, type TestRepository, writeAll } from "../worktrees/support/repository.ts"

describe("agents_apply", () => {
  it("brings what jobs did into their owner's files, says how to tidy up, and asks for these files first", async () => {
    const { begin, finish, apply, repo } = isolatedServices()
    await begin("one")
    await begin("two")
    await finish("one", { "a.txt": "of one\n" })
    await finish("two", { "b.txt": "of two\n" })
    const asked: unknown[] = []
    const { title, output } = await apply(["one", "two"], {
      askToEdit: async (root, files) => {
        asked.push({ root, files, "a.txt": filesIn(repo.path)["a.txt"] })
        return { type: "granted" }
      },
    })
    expect(asked).toEqual([{ root: repo.path, files: ["a.txt", "b.txt"], "a.txt": "644 1\n" }])
    expect(title).toBe("2 files applied")
    expect(output).toBe(
      "Applied one, two: 2 files, not committed: a.txt, b.txt.\n" +
        "When you are satisfied, agents_apply with discard: true removes the worktree of each.",
    )
    expect(filesIn(repo.path)).toEqual({ "a.txt": "644 of one\n", "b.txt": "644 of two\n" })
    expect((await apply(["one"])).output).toBe("Nothing to apply: your files have all that one changed.")
  })

  it("names each that it cannot apply and says why, and then applies none", async () => {
    const { begin, finish, start, apply, repo } = isolatedServices()
    await begin("ended")
    await finish("ended", { "a.txt": "2\n" })
    await begin("working")
    await start({ id: "plain", prompt: "do plain" })
    const { title, output } = await apply(["ended", "nobody", "working", "plain"])
    expect(title).toBe("nothing applied")
    expect(output).toBe(
      [
        "Nothing was applied.",
        'nobody: there is no job "nobody"; agents_status shows all.',
        "working: it is still at work: wait for it or cancel it.",
        "plain: it has no worktree of its own: what it did is in the project already.",
      ].join("\n"),
    )
    expect(filesIn(repo.path)["a.txt"]).toBe("644 1\n")
  })

  it("brings all jobs of a list by its id", async () => {
    const { start, finish, apply, discard, repo, isThere } = isolatedServices()
    await start({ id: "try", prompt: "do try {{item}}", each: ["x", "y"], isolation: "worktree" })
    await finish("try.1", { "a.txt": "of x\n" })
    await finish("try.2", { "b.txt": "of y\n" })
    expect((await apply(["try"])).output).toContain(
      "Applied try.1, try.2: 2 files, not committed: a.txt, b.txt.",
    )
    expect(filesIn(repo.path)).toEqual({ "a.txt": "644 of x\n", "b.txt": "644 of y\n" })
    expect((await discard("try")).output).toMatch(/^Discarded try\.1.*\nDiscarded try\.2/)
    expect(["try.1", "try.2"].map(isThere)).toEqual([false, false])
  })

  it("has all that a job did on its branch, though somebody has removed its worktree", async () => {
    const { begin, finish, apply, directoryOf, repo } = isolatedServices()
    await begin("one")
    await finish("one", { "a.txt": "2\n" })
    rmSync(directoryOf("one"), { recursive: true })
    expect((await apply(["one"])).title).toBe("1 file applied")
    expect(filesIn(repo.path)["a.txt"]).toBe("644 2\n")
  })

  it("names the files that the project has changed too, and what to do about them", async () => {
    const { begin, finish, apply, repo } = isolatedServices()
    await begin("one")
    await finish("one", { "a.txt": "of one\n" })
    repo.commit({ "a.txt": "of somebody else\n" })
    expect((await apply(["one"])).output).toBe(
      "Nothing was applied.\none: in conflict: a.txt; the project has changed there too: " +
        "merge troupe/owner/one by hand, or discard the job.",
    )
    expect(filesIn(repo.path)["a.txt"]).toBe("644 of somebody else\n")
  })

  it("names the jobs of the call that it is in conflict with, and a way out", async () => {
    const { begin, finish, apply } = isolatedServices()
    for (const id of ["one", "two"]) await begin(id)
    for (const id of ["one", "two"]) await finish(id, { "a.txt": `of ${id}\n` })
    expect((await apply(["one", "two"])).output).toBe(
      "Nothing was applied.\ntwo: in conflict with what one changes in a.txt: apply only one of them, " +
        "or apply and commit one first and then merge troupe/owner/two by hand.",
    )
    await apply(["one"])
    expect((await apply(["two"])).output).toBe(
      "Nothing was applied.\ntwo: in conflict: a.txt, to which one was applied before: " +
        "commit that and then merge troupe/owner/two by hand.",
    )
  })

  describe("of which an earlier call was interrupted, and a person has changed a file since", () => {
    /** As a crash leaves it: `b.txt` was written, and is of a person by now; `new.txt` was written. */
    async function interrupt({ path, folder, git }: TestRepository): Promise<void> {
      const ours = folderOf(await realpath(folder), await realpath(git("rev-parse", "--absolute-git-dir")))
      const journal = applyFolderOf(ours, path)
      await mkdir(join(journal, "old"), { recursive: true })
      writeAll(path, { "b.txt": "2\n", "new.txt": "2\n" })
      const after = await contentAt(pathOf(path, "b.txt"))
      const before: Content = { type: "none" }
      const steps = ["b.txt", "new.txt"].map((name) => ({ name, before, after, beside: `.${name}` }))
      await writeJournal(journal, { root: path, steps, folders: [], ledger: { left: [], jobs: [] } })
      writeAll(path, { "b.txt": "of a person\n" })
    }
    const said =
      "Before this, an agents_apply that was interrupted has been undone, but for files that somebody has changed " +
      'since, which stay as they are: "b.txt"; see with git diff whether they are as you want them.\n'

    it("names the file, whatever comes of the call", async () => {
      const { begin, finish, apply, discard, repo } = isolatedServices()
      await begin("one")
      await finish("one", { "a.txt": "of one\n" })
      await interrupt(repo)
      expect((await discard("one")).output).toContain(`${said}Nothing was discarded yet.`)
      await interrupt(repo)
      expect((await apply(["one"])).output).toContain(`${said}Applied one: 1 file, not committed: a.txt.`)
      await interrupt(repo)
      expect((await apply(["one"])).output).toContain(`${said}Nothing to apply:`)
      expect((await apply(["one"])).output).not.toContain("Before this")
      expect(filesIn(repo.path)).toEqual({ "a.txt": "644 of one\n", "b.txt": "644 of a person\n" })
    })

    it("names it too where that was while the call waited for a permission, and then failed", async () => {
      const { begin, finish, apply, repo } = isolatedServices()
      await begin("one")
      await finish("one", { "a.txt": "of one\n" })
      const askToEdit = async () => {
        await interrupt(repo)
        writeAll(repo.path, { "a.txt": "of a person\n" })
        return { type: "granted" } as const
      }
      await expect(apply(["one"], { askToEdit })).rejects.toThrow(
        `${said}files were changed meanwhile: "a.txt"; apply again`,
      )
    })
  })

  it("says so where a job has changed nothing", async () => {
    const { begin, finish, apply } = isolatedServices()
    for (const id of ["none", "some"]) await begin(id)
    await finish("none")
    await finish("some", { "a.txt": "2\n" })
    expect((await apply(["none"])).output).toBe("Nothing to apply: none changed nothing.")
    expect((await apply(["none", "some"])).output).toMatch(
      /^Applied some: 1 file, not committed: a\.txt\.\nnone changed nothing\.\nWhen /,
    )
    expect((await apply(["none", "some"])).output).toBe(
      "Nothing to apply: your files have all that some changed.\nnone changed nothing.",
    )
  })

  it("says which of what it has applied was not done", async () => {
    const { begin, start, finish, apply, call, directoryOf, recordOf } = isolatedServices()
    await begin("done")
    await start({
      id: "red",
      prompt: "do red",
      isolation: "worktree",
      check: { command: "exit 3", attempts: 0 },
    })
    await begin("stopped")
    await finish("done", { "a.txt": "2\n" })
    await finish("red", { "b.txt": "2\n" })
    writeAll(directoryOf("stopped"), { "c.txt": "half\n" })
    await call("agents_cancel", { ids: ["stopped"] })
    expect([recordOf("red")?.error?.kind, recordOf("stopped")?.state]).toEqual(["check", "cancelled"])
    expect((await apply(["done", "red", "stopped"])).output).toContain(
      "Applied done, red, stopped: 3 files, not committed: a.txt, b.txt, c.txt.\n" +
        "Not done: red (its check did not pass), stopped (it was cancelled).\n",
    )
  })

  it("says of a job that was discarded how its branch can be had back, in a status too", async () => {
    const { begin, finish, apply, discard, call, recordOf } = isolatedServices()
    for (const id of ["one", "none"]) await begin(id)
    await finish("one", { "a.txt": "2\n" })
    await finish("none")
    const status = async () => (await call("agents_status", { ids: ["one"] })).output
    const { branch, commit } = recordOf("one")?.worktree ?? {}
    expect(await status()).not.toMatch(/applied|discarded/)
    await apply(["one"])
    expect(await status()).toContain(`branch ${branch} at ${commit?.slice(0, 10)}, 1 file, +1 −1, applied`)
    await discard("one", "none")
    expect(await status()).toContain(`discarded (it was ${branch} at ${commit?.slice(0, 10)})`)
    const words = [
      `one: it was discarded already: git branch ${branch} ${commit} brings its commits back as long as git keeps them, by default two weeks from when they were made.`,
      "none: it was discarded already, and had changed nothing.",
    ]
    expect((await apply(["one", "none"])).output.split("\n")).toEqual(["Nothing was applied.", ...words])
    expect((await discard("one", "none")).output.split("\n")).toEqual(["Nothing was discarded.", ...words])
  })

  it("says no more than that of a job that was discarded whose end was never known", async () => {
    let isFull = true
    const { begin, finish, apply, discard } = isolatedServices({}, (worktrees) => ({
      seal: (directory, message, call) =>
        isFull ? Promise.reject(new Error("the disk is full")) : worktrees.seal(directory, message, call),
    }))
    await begin("one")
    await finish("one")
    isFull = false
    expect((await discard("one")).title).toBe("1 discarded")
    expect((await apply(["one"])).output).toBe("Nothing was applied.\none: it was discarded already.")
  })

  it("says where files of a discarded job are that could not be removed", async () => {
    const { begin, finish, discard } = isolatedServices({}, (worktrees) => ({
      prepareDiscard: async (request) => ({
        ...(await worktrees.prepareDiscard(request)),
        remove: async () => ({ folder: "/worktrees/.removing-1", why: "EBUSY: resource busy" }),
      }),
    }))
    await begin("one")
    await finish("one")
    expect(await discard("one")).toMatchObject({
      title: "1 discarded",
      output:
        "Discarded one. Some of its files could not be removed and are still in /worktrees/.removing-1: EBUSY: resource busy.",
    })
  })

  it("is what agents_wait advises no more once it was applied, nor once it was discarded", async () => {
    const { begin, finish, apply, discard, call } = isolatedServices()
    await begin("one")
    await finish("one", { "a.txt": "2\n" })
    const result = async () => (await call("agents_wait", { ids: ["one"] })).output
    expect(await result()).toContain("agents_apply brings it into your files")
    await apply(["one"])
    expect(await result()).toMatch(/ applied"/)
    await discard("one")
    expect(await result()).toMatch(
      /note="discarded \(it was .*\); git branch .* brings its commits back as long as /,
    )
  })

  it("names the repositories that children have made, whose files are in no commit", async () => {
    const { begin, finish, apply, repo, directoryOf } = isolatedServices()
    for (const id of ["none", "some"]) await begin(id)
    for (const id of ["none", "some"]) repo.git("init", "--quiet", join(directoryOf(id), "sub"))
    await finish("none", { "sub/own.txt": "1\n" })
    await finish("some", { "a.txt": "2\n", "sub/own.txt": "1\n" })
    const left = "Left in their worktrees, as they are repositories of their own: "
    expect((await apply(["none"])).output.split("\n")).toContain(`${left}sub of none.`)
    expect((await apply(["none", "some"])).output.split("\n")).toContain(`${left}sub of none, sub of some.`)
    expect(filesIn(repo.path)["a.txt"]).toBe("644 2\n")
  })

  it("writes over nothing that is in no commit, though both would go together", async () => {
    const { begin, finish, apply, repo } = isolatedServices()
    repo.commit({ "a.txt": "1\n2\n3\n4\n5\n" })
    await begin("one")
    await finish("one", { "a.txt": "one\n2\n3\n4\n5\n" })
    repo.write({ "a.txt": "1\n2\n3\n4\nfive\n" })
    expect((await apply(["one"])).output).toBe(
      "Nothing was applied.\none: changed here and not committed: a.txt; commit or stash that first.",
    )
    expect(filesIn(repo.path)["a.txt"]).toBe("644 1\n2\n3\n4\nfive\n")
  })

  it("brings what all jobs of a group did", async () => {
    const { start, finish, apply, discard, host, isThere, repo } = isolatedServices()
    const schema = { type: "array", items: { type: "string" } }
    const paint = { id: "paint", prompt: "paint {{item}}", each: { from: "find" }, isolation: "worktree" }
    await start({ id: "find", prompt: "find them", schema }, paint)
    await until(() => host.prompts.length > 0)
    host.prompts[0]?.answer('["a", "b"]')
    for (const id of ["paint.1", "paint.2"]) await finish(id, { [`${id}.txt`]: "painted\n" })
    expect((await apply(["paint"])).output).toContain(
      "Applied paint.1, paint.2: 2 files, not committed: paint.1.txt, paint.2.txt.\n",
    )
    expect(filesIn(repo.path)).toMatchObject({
      "paint.1.txt": "644 painted\n",
      "paint.2.txt": "644 painted\n",
    })
    expect((await discard("paint")).title).toBe("2 discarded")
    expect(["paint.1", "paint.2"].map(isThere)).toEqual([false, false])
  })

  it("names the first of many files, and has the beginning of their list in its metadata", async () => {
    const { begin, finish, apply } = isolatedServices()
    await begin("one")
    const names = Array.from({ length: 201 }, (_, index) => `many/${String(index).padStart(3, "0")}.txt`)
    await finish("one", Object.fromEntries(names.map((name) => [name, "1\n"])))
    const { title, output, metadata } = await apply(["one"])
    expect(title).toBe("201 files applied")
    expect(output).toContain("Applied one: 201 files, not committed: many/000.txt, ")
    expect(output).toContain("many/018.txt, many/019.txt and 181 more.\n")
    expect(metadata.files).toEqual(names.slice(0, 200))
  })

  it("says why where it cannot be known what a job did, and then applies none", async () => {
    let isFull = false
    const { begin, finish, apply, repo } = isolatedServices({}, (worktrees) => ({
      seal: (directory, message, call) =>
        isFull && directory.endsWith("two")
          ? Promise.reject(new Error("the disk is full"))
          : worktrees.seal(directory, message, call),
    }))
    for (const id of ["one", "two"]) await begin(id)
    for (const id of ["one", "two"]) await finish(id, { [`${id}.txt`]: "1\n" })
    isFull = true
    expect(await apply(["one", "two"])).toMatchObject({
      title: "nothing applied",
      output: "Nothing was applied.\ntwo: the disk is full.",
      metadata: { refused: [{ id: "two", reason: "the disk is full" }] },
    })
    expect(filesIn(repo.path)).not.toHaveProperty("one.txt")
  })

  it("applies a job though it cannot be told which repositories it has made", async () => {
    const { begin, finish, apply, repo } = isolatedServices({}, () => ({
      prepareDiscard: () => Promise.reject(new Error("git did not end within 10 s")),
    }))
    await begin("one")
    await finish("one", { "a.txt": "2\n" })
    expect((await apply(["one"])).title).toBe("1 file applied")
    expect(filesIn(repo.path)["a.txt"]).toBe("644 2\n")
  })

  it.each([
    [{ type: "denied" }, '"build" may not edit these files'],
    [{ type: "rejected" }, "the user refused"],
    [{ type: "rejected", feedback: "not on a Friday" }, "the user refused: not on a Friday"],
    [{ type: "prevented", reason: "plan mode" }, "plan mode"],
    [{ type: "failed", reason: "no answer" }, "opencode did not say whether it is permitted: no answer"],
  ] as const)("changes nothing where it is not permitted: %o", async (permission, words) => {
    const { begin, finish, apply, repo } = isolatedServices()
    await begin("one")
    await finish("one", { "a.txt": "of one\n" })
    const { output } = await apply(["one"], { askToEdit: async () => permission })
    expect(output).toBe(`Nothing was applied.\none: ${words}.`)
    expect(filesIn(repo.path)["a.txt"]).toBe("644 1\n")
  })
})

describe("agents_apply with discard", () => {
  it("says first what would be lost, and does it when it is called once more", async () => {
    const { begin, finish, discard, isThere, repo, recordOf } = isolatedServices()
    await begin("one")
    await finish("one", { "a.txt": "of one\n" })
    const { branch, commit } = recordOf("one")?.worktree ?? {}
    const first = await discard("one")
    expect([first.title, isThere("one")]).toEqual(["nothing discarded yet", true])
    expect(first.output).toBe(
      "Nothing was discarded yet. This would be lost:\n" +
        `one (${branch}, ${commit}): 1 commit, 1 file changed\nRepeat the same call to confirm.`,
    )
    const second = await discard("one")
    expect([second.title, isThere("one")]).toEqual(["1 discarded", false])
    expect(second.output).toBe(
      `Discarded one: git branch ${branch} ${commit} brings its commits back as long as git keeps them, ` +
        "by default two weeks from when they were made.",
    )
    expect(repo.git("branch", "--list", "troupe/*")).toBe("")
    expect(filesIn(repo.path)["a.txt"]).toBe("644 1\n")
  })

  it("says it again where more would be lost than has been said", async () => {
    const { begin, finish, discard, call, isThere } = isolatedServices()
    await begin("one")
    await finish("one", { "a.txt": "of one\n" })
    await discard("one")
    await call("agents_send", { id: "one", message: "go on" })
    await finish("one", { "b.txt": "of one\n" })
    const { title, output } = await discard("one")
    expect([title, isThere("one")]).toEqual(["nothing discarded yet", true])
    expect(output).toContain("2 commits, 2 files changed")
  })

  it("goes at once where the owner's files have all of it", async () => {
    const { begin, finish, apply, discard, isThere } = isolatedServices()
    await begin("one")
    await finish("one", { "a.txt": "of one\n" })
    await apply(["one"])
    expect([(await discard("one")).title, isThere("one")]).toEqual(["1 discarded", false])
  })

  it("counts what there is, where a job has gone back to an earlier commit, or nobody can tell what is applied", async () => {
    const unmerged = new WorktreeError("unmerged", "files are in conflict", "resolve the conflicts")
    const { begin, finish, discard, directoryOf, recordOf, repo } = isolatedServices({}, () => ({
      prepareApply: () => Promise.reject(unmerged),
    }))
    for (const id of ["back", "empty"]) await begin(id)
    repo.gitIn(directoryOf("back"), "reset", "--quiet", "--hard", "HEAD~1")
    repo.gitIn(directoryOf("empty"), "commit", "--quiet", "--allow-empty", "-m", "nothing")
    for (const id of ["back", "empty"]) await finish(id)
    const [back, empty] = ["back", "empty"].map((id) => recordOf(id)?.worktree)
    expect((await discard("back", "empty")).output.split("\n").slice(1, -1)).toEqual([
      `back (${back?.branch}, ${back?.commit}): 0 commits, 2 files changed`,
      `empty (${empty?.branch}, ${empty?.commit}): 1 commit, 0 files changed`,
    ])
    const { output } = await discard("back", "empty")
    for (const each of [back, empty]) expect(output).toContain(`git branch ${each?.branch} ${each?.commit}`)
  })

  it("goes at once where the job has changed nothing, and has nothing to be brought back", async () => {
    const { begin, finish, discard, isThere } = isolatedServices()
    await begin("one")
    await finish("one")
    expect([(await discard("one")).output, isThere("one")]).toEqual(["Discarded one.", false])
  })

  it("says what else would be lost that is in no commit, and takes the permission to edit that too", async () => {
    const { begin, finish, apply, call, recordOf } = isolatedServices({}, (worktrees) => ({
      async prepareDiscard(request, call) {
        const prepared = await worktrees.prepareDiscard(request, call)
        const beside = { uncommitted: ["half.txt"], repositories: ["sub"], ignored: ["out/"] }
        return { ...prepared, loss: { ...prepared.loss, ...beside } }
      },
    }))
    await begin("one")
    await finish("one", { "a.txt": "of one\n" })
    await apply(["one"])
    const asked: unknown[] = []
    const discard = () =>
      call(
        "agents_apply",
        { ids: ["one"], discard: true },
        {
          askToEdit: async (_, files) => {
            asked.push(files)
            return { type: "rejected" }
          },
        },
      )
    const { branch, commit } = recordOf("one")?.worktree ?? {}
    expect((await discard()).output.split("\n")).toContain(
      `one (${branch}, ${commit}): in no commit: half.txt, repositories made in it: sub, ignored by git: out/`,
    )
    expect((await discard()).output).toMatch(
      /^Nothing was discarded: the user refused\. A person can do it: /,
    )
    expect(asked).toEqual([["a.txt", "half.txt", "sub", "out/"]])
  })

  it("says which have gone and which could not, where one could not", async () => {
    const { begin, finish, discard, isThere } = isolatedServices({}, (worktrees) => ({
      async prepareDiscard(request, call) {
        const prepared = await worktrees.prepareDiscard(request, call)
        if (!request.directory.endsWith("two")) return prepared
        return { ...prepared, remove: () => Promise.reject(new Error("there is no space left")) }
      },
    }))
    for (const id of ["one", "two", "three"]) {
      await begin(id)
      await finish(id)
    }
    const { title, output, metadata } = await discard("one", "two", "three")
    expect(title).toBe("2 discarded")
    expect(metadata.refused).toEqual([{ id: "two", reason: "there is no space left" }])
    expect(output.split("\n")).toEqual([
      "Discarded one.",
      "Not discarded: two: there is no space left.",
      "Discarded three.",
    ])
    expect(["one", "two", "three"].map(isThere)).toEqual([false, true, false])
  })

  it("takes the permission to edit what would be lost: it is the agent that confirms", async () => {
    const { begin, finish, apply, call, isThere, repo, recordOf } = isolatedServices()
    for (const id of ["one", "two", "applied"]) await begin(id)
    await finish("one", { "a.txt": "of one\n" })
    await finish("two", { "c/new.txt": "of two\n" })
    await finish("applied", { "b.txt": "applied\n" })
    await apply(["applied"])
    const asked: unknown[] = []
    const discard = (permission: StartPermission) =>
      call(
        "agents_apply",
        { ids: ["one", "two", "applied"], discard: true },
        {
          askToEdit: async (root, files) => {
            asked.push({ root, files })
            return permission
          },
        },
      )
    await discard({ type: "denied" })
    expect(asked).toEqual([])
    const denied = await discard({ type: "denied" })
    expect(asked).toEqual([{ root: repo.path, files: ["a.txt", "c/new.txt"] }])
    expect(denied.title).toBe("nothing discarded")
    expect(denied.metadata.refused).toMatchObject([{ id: "one" }, { id: "two" }, { id: "applied" }])
    expect(denied.output).toContain(
      'Nothing was discarded: "build" may not edit these files, nor throw away what was done to them. A person can do it: ',
    )
    expect(denied.output).toContain(`worktrees --discard ${recordOf("one")?.worktree?.branch}`)
    expect(["one", "two", "applied"].map(isThere)).toEqual([true, true, true])
    expect((await discard({ type: "granted" })).title).toBe("3 discarded")
  })

  it("discards nothing where one that is named is still at work", async () => {
    const { begin, finish, discard, isThere } = isolatedServices()
    await begin("one")
    await finish("one")
    await begin("two")
    const { output } = await discard("one", "two")
    expect(output).toBe("Nothing was discarded.\ntwo: it is still at work: wait for it or cancel it.")
    expect(isThere("one")).toBe(true)
  })
})

describe("agents_apply brings nothing", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("of a group whose jobs are still to come", async () => {
    const { call } = testServices()
    const schema = { type: "array", items: { type: "string" } }
    const tasks = [
      { id: "find", prompt: "find them", schema },
      { id: "paint", prompt: "paint {{item}}", each: { from: "find" }, isolation: "worktree" },
    ]
    await call("agents_start", { tasks })
    await vi.advanceTimersByTimeAsync(0)
    const { output } = await call("agents_apply", { ids: ["paint"] })
    expect(output).toBe("Nothing was applied.\npaint: it is still at work: wait for it or cancel it.")
  })

  it("of a job that never began, or that worked in the project itself", async () => {
    const { call, host } = testServices({}, {}, (double) => ({
      ...double,
      createSession: async (session) =>
        session.title.includes("none") ? failed("not now") : double.createSession(session),
    }))
    const tasks = ["here", "none"].map((id) => ({ id, prompt: "work" }))
    await call("agents_start", { tasks })
    await vi.advanceTimersByTimeAsync(1_000)
    host.prompts[0]?.answer("done")
    await vi.advanceTimersByTimeAsync(1_000)
    const { output } = await call("agents_apply", { ids: ["here", "none"] })
    expect(output.split("\n")).toEqual([
      "Nothing was applied.",
      "here: it has no worktree of its own: what it did is in the project already.",
      "none: it never began, so it has done nothing: start it as a new job.",
    ])
  })
})
