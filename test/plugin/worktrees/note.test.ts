import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { holdingsWords, isClean } from "../../../src/plugin/worktrees/holdings.ts"
import { claimNote, madeNote, type Note, readNote, writeNote } from "../../../src/plugin/worktrees/note.ts"
import { tempFolder } from "../../support/temp-folder.ts"

const note: Note = {
  state: "made",
  owner: "ses_owner",
  job: "a",
  commonDir: "/p/.git",
  gitDir: "/p/.git/worktrees/a",
  project: "/p",
  branch: "troupe/a",
  base: "0123456789abcdef0123456789abcdef01234567",
  madeAt: 1,
  pid: 7,
}

function newRoot(): string {
  const folder = tempFolder("notes")
  onTestFinished(folder.remove)
  return join(folder.path, "a")
}

describe("The note of a worktree", () => {
  it("is read as it was written, and replaced as a whole", async () => {
    const root = newRoot()
    const { gitDir: _, ...making } = { ...note, state: "making" as const }
    await writeNote(root, making)
    expect(await readNote(root)).toEqual(making)
    await writeNote(root, note)
    expect(await readNote(root)).toEqual(note)
  })

  it("is claimed once: who comes second leaves it as it is", async () => {
    const root = newRoot()
    expect(await claimNote(root, note)).toBe(true)
    expect(await claimNote(root, { ...note, job: "b" })).toBe(false)
    expect(await readNote(root)).toEqual(note)
  })

  it("is none where there is no file, or no JSON in it", async () => {
    const root = newRoot()
    expect(await readNote(root)).toBeUndefined()
    writeFileSync(`${root}.json`, "{")
    expect(await readNote(root)).toBeUndefined()
  })

  it.each<[what: string, fields: object]>([
    ["of a state that there is not", { state: "done" }],
    ["of another branch than those of jobs", { branch: "main" }],
    ["of a branch that only contains their prefix", { branch: "x/troupe/a" }],
    ["of a base that is no commit", { base: "HEAD" }],
    ["of a base with something before it", { base: `-${note.base}` }],
    ["of a base with something behind it", { base: `${note.base} x` }],
    ["of a process that there cannot be", { pid: 0 }],
    ["of a process in part", { pid: 1.5 }],
    ["without an owner", { owner: undefined }],
  ])("is none where it is one %s", async (_, fields) => {
    const root = newRoot()
    writeFileSync(`${root}.json`, JSON.stringify({ ...note, ...fields }))
    expect(await readNote(root)).toBeUndefined()
  })

  it("may have a base of the longer hashes", async () => {
    const root = newRoot()
    const longer = { ...note, base: "0".repeat(64) }
    await writeNote(root, longer)
    expect(await readNote(root)).toEqual(longer)
  })

  it("lets a worktree be used that is made, or in one of the states that are asked for", async () => {
    const root = newRoot()
    await writeNote(root, note)
    expect(await madeNote(root)).toEqual({ ...note, root })
    await writeNote(root, { ...note, state: "moving" })
    expect(await madeNote(root, ["made", "moving"])).toEqual({ ...note, state: "moving", root })
    await expect(madeNote(root)).rejects.toMatchObject({ kind: "notOurs" })
  })

  it("lets none be used that is there no more, or was never made", async () => {
    const root = newRoot()
    await expect(madeNote(root)).rejects.toMatchObject({ kind: "notOurs" })
    const { gitDir: _, ...unmade } = note
    await writeNote(root, unmade)
    await expect(madeNote(root)).rejects.toMatchObject({ kind: "notOurs" })
  })
})

describe("What a worktree holds", () => {
  const nothing = { commits: 0, files: 0, uncommitted: [], repositories: [], ignored: [] }

  it("is said in words, each only where there is any", () => {
    const one = { commits: 1, files: 1, uncommitted: ["a"], repositories: ["r"], ignored: ["i"] }
    expect(holdingsWords(one)).toBe(
      "1 commit with 1 changed file, 1 uncommitted file, 1 repository, 1 ignored file or folder",
    )
    const two = {
      commits: 2,
      files: 0,
      uncommitted: ["a", "b"],
      repositories: ["r", "s"],
      ignored: ["i", "j/"],
    }
    expect(holdingsWords(two)).toBe(
      "2 commits with 0 changed files, 2 uncommitted files, 2 repositories, 2 ignored files or folders",
    )
    expect(holdingsWords({ ...nothing, files: 3 })).toBe("0 commits with 3 changed files")
    expect(holdingsWords({ ...nothing, repositories: ["r"] })).toBe("1 repository")
    expect(holdingsWords(nothing)).toBe("")
  })

  it("is nothing only where there is none of all that", () => {
    expect(isClean(nothing)).toBe(true)
    for (const held of [
      { commits: 1 },
      { files: 1 },
      { uncommitted: ["a"] },
      { repositories: ["r"] },
      { ignored: ["i"] },
    ])
      expect(isClean({ ...nothing, ...held })).toBe(false)
  })
})
