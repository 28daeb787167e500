import { rmSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { isolatedServices } from "../support/isolated.ts"
import { filesIn } from "../worktrees/support/repository.ts"

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
        "Once it is as it should be, agents_apply with discard: true removes what they worked in.",
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
        "bring both together by hand, or discard the job.",
    )
    expect(filesIn(repo.path)["a.txt"]).toBe("644 of somebody else\n")
  })

  it("writes over nothing that is in no commit, though both would go together", async () => {
    const { begin, finish, apply, repo } = isolatedServices()
    repo.commit({ "a.txt": "1\n2\n3\n4\n5\n" })
    await begin("one")
    await finish("one", { "a.txt": "one\n2\n3\n4\n5\n" })
    repo.write({ "a.txt": "1\n2\n3\n4\nfive\n" })
    expect((await apply(["one"])).output).toBe(
      "Nothing was applied.\none: changed here and not committed: a.txt; " +
        "they have changes that are not committed: commit or stash them.",
    )
    expect(filesIn(repo.path)["a.txt"]).toBe("644 1\n2\n3\n4\nfive\n")
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
        `one (${branch}, ${commit}): 1 commit, 1 file changed\nThe same call once more does it.`,
    )
    const second = await discard("one")
    expect([second.title, isThere("one")]).toEqual(["1 discarded", false])
    expect(second.output).toBe(
      `Discarded one. For some weeks this brings it back: git branch ${branch} ${commit}`,
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

  it("goes at once where the job has changed nothing", async () => {
    const { begin, finish, discard, isThere } = isolatedServices()
    await begin("one")
    await finish("one")
    expect([(await discard("one")).title, isThere("one")]).toEqual(["1 discarded", false])
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
