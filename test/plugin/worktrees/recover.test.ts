import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { contentIn } from "../../../src/plugin/worktrees/apply/content.ts"
import { writeJournal } from "../../../src/plugin/worktrees/apply/journal.ts"
import { readLedger } from "../../../src/plugin/worktrees/apply/ledger.ts"
import { recoverApply } from "../../../src/plugin/worktrees/apply/recover.ts"
import { tempFolder } from "../../support/temp-folder.ts"
import { contents } from "./support/repository.ts"

type Entry = string | { text: string; mode: number } | { link: string | Buffer } | undefined
/** What a file was, is to be, and is as the next opencode looks; and the name that it has until it is whole. */
type Step = { before: Entry; after: Entry; now: Entry; beside?: string }

function put(root: string, name: string, entry: Entry): void {
  const path = join(root, name)
  if (entry === undefined) return
  mkdirSync(dirname(path), { recursive: true })
  if (typeof entry === "string") writeFileSync(path, entry)
  else if ("link" in entry) symlinkSync(entry.link, path)
  else {
    writeFileSync(path, entry.text)
    chmodSync(path, entry.mode)
  }
}

/** An apply that was interrupted as its files were so. `folders` are those that it has made. */
async function interrupted(files: Record<string, Step>, folders: string[] = []) {
  const temp = tempFolder("recover")
  onTestFinished(temp.remove)
  const [root, folder] = [join(temp.path, "project"), join(temp.path, "applying")]
  mkdirSync(root)
  mkdirSync(join(folder, "old"), { recursive: true })
  const seen = async (entry: Entry) => {
    put(join(temp.path, "seen"), "file", entry)
    const content = await contentIn(temp.path, "seen/file")
    rmSync(join(temp.path, "seen"), { recursive: true, force: true })
    return content
  }
  const steps = []
  for (const [name, { before, after, beside = `.troupe-${steps.length}` }] of Object.entries(files)) {
    put(join(folder, "old"), `${steps.length}`, before)
    steps.push({ name, before: await seen(before), after: await seen(after), beside })
  }
  for (const made of folders.filter((each) => each !== tooLong))
    mkdirSync(join(root, made), { recursive: true })
  for (const [name, { now }] of Object.entries(files)) put(root, name, now)
  const ledger = { left: [], jobs: [{ owner: "ses_owner", id: "one", commit: "0123456789" }] }
  await writeJournal(folder, { root, steps, folders, ledger })
  return {
    root,
    folder,
    recover: () => recoverApply(folder),
    files: () => contents(root),
    /** What is known of applies to this working tree. */
    applied: async () => (await readLedger(folder)).jobs.map(({ id }) => id),
  }
}

/** More than a file system takes for a name. */
const tooLong = "x".repeat(256)
const changed = { before: "1\n", after: "2\n" }
const added = { before: undefined, after: "new\n" }
/** No two of them are the same byte, and none is text. */
const noText = (which: number) => Buffer.from([0x80 + which])

describe("An apply that was interrupted", () => {
  it("has happened where all was written: it is known from then on, and nothing of it is left", async () => {
    const { root, folder, recover, files, applied } = await interrupted({
      "a.txt": { ...changed, now: "2\n" },
      "gone.txt": { before: "1\n", after: undefined, now: undefined },
    })
    put(root, ".troupe-0", "2\n")
    expect(await recover()).toEqual({ type: "finished" })
    expect(files()).toEqual({ "a.txt": "644 2\n" })
    expect([existsSync(folder), await applied()]).toEqual([false, ["one"]])
    expect(await recover()).toEqual({ type: "nothing" })
  })

  it("is undone where anything was not: all is as it was, and nothing of it is left", async () => {
    const { root, folder, recover, files, applied } = await interrupted(
      {
        "swapped/b.txt": { before: "1\n", after: undefined, now: undefined },
        "gone/c.txt": { before: "c\n", after: undefined, now: undefined },
        "a.txt": { ...changed, now: "2\n" },
        link: { before: { link: "a.txt" }, after: { link: "b.txt" }, now: { link: "b.txt" } },
        "run.sh": { before: { text: "x\n", mode: 0o755 }, after: "x\n", now: "x\n" },
        "new/deep/d.txt": { ...added, now: "new\n" },
        swapped: { ...added, now: "new\n" },
        "later.txt": { ...changed, now: "1\n", beside: ".troupe-later" },
      },
      ["new", "new/deep"],
    )
    put(root, ".troupe-later", "2\n")
    expect(await recover()).toEqual({ type: "undone", changed: [] })
    expect(files()).toEqual({
      "swapped/b.txt": "644 1\n",
      "gone/c.txt": "644 c\n",
      "a.txt": "644 1\n",
      link: "link a.txt",
      "run.sh": "755 x\n",
      "later.txt": "644 1\n",
    })
    expect([existsSync(join(root, "new")), existsSync(folder), await applied()]).toEqual([false, false, []])
  })

  it.each<[string, Step]>([
    ["the mode of a file", { before: "x\n", after: { text: "x\n", mode: 0o755 }, now: "x\n" }],
    ["where a link leads", { before: { link: "a" }, after: { link: "b" }, now: { link: "a" } }],
    [
      "a byte of where a link leads that is no text",
      { before: { link: noText(1) }, after: { link: noText(2) }, now: { link: noText(1) } },
    ],
    [
      "the last byte of a large file",
      { before: `${"x".repeat(200_000)}1`, after: `${"x".repeat(200_000)}2`, now: `${"x".repeat(200_000)}1` },
    ],
    ["that a file is there", { ...added, now: undefined }],
  ])("is undone where only %s was not written", async (_, step) => {
    const { recover, files } = await interrupted({ "a.txt": { ...changed, now: "2\n" }, z: step })
    expect(await recover()).toEqual({ type: "undone", changed: [] })
    expect(files()["a.txt"]).toBe("644 1\n")
  })

  it("is undone byte by byte where a link led to what is no text", async () => {
    const link = { before: { link: noText(1) }, after: undefined, now: undefined }
    const { root, recover } = await interrupted({ link, "a.txt": { ...changed, now: "1\n" } })
    expect(await recover()).toEqual({ type: "undone", changed: [] })
    expect(readlinkSync(join(root, "link"), { encoding: "buffer" })).toEqual(noText(1))
  })

  it("leaves as it is what somebody has changed since, names it in order, and undoes all else", async () => {
    const { root, recover, files } = await interrupted(
      {
        "a.txt": { ...changed, now: "a person's\n" },
        "b.txt": { ...changed, now: "2\n" },
        "c.txt": { ...changed, now: undefined },
        "folder.txt": { ...changed, now: undefined },
        "new/d.txt": { ...added, now: "new\n" },
      },
      ["new"],
    )
    for (const name of ["folder.txt/x.txt", "new/e.txt"]) put(root, name, "a person's\n")
    expect(await recover()).toEqual({ type: "undone", changed: ["a.txt", "c.txt", "folder.txt"] })
    expect(files()).toEqual({
      "a.txt": "644 a person's\n",
      "b.txt": "644 1\n",
      "folder.txt/x.txt": "644 a person's\n",
      "new/e.txt": "644 a person's\n",
    })
  })

  it("reads, writes and removes nothing through a link that somebody has put in place of a folder since", async () => {
    const { root, recover, files } = await interrupted({
      "folder/a.txt": { ...changed, now: undefined, beside: "folder/.troupe" },
      "folder/b.txt": { ...added, now: undefined, beside: "folder/.troupe-b" },
      "c.txt": { ...changed, now: "2\n" },
    })
    const outside = { "a.txt": "2\n", "b.txt": "new\n", ".troupe": "theirs\n" }
    for (const [name, text] of Object.entries(outside)) put(join(root, "../outside"), name, text)
    symlinkSync("../outside", join(root, "folder"))
    expect(await recover()).toEqual({ type: "undone", changed: ["folder/a.txt"] })
    expect(files()).toEqual({ folder: "link ../outside", "c.txt": "644 1\n" })
    expect(contents(join(root, "../outside"))).toEqual({
      "a.txt": "644 2\n",
      "b.txt": "644 new\n",
      ".troupe": "644 theirs\n",
    })
  })

  it("had written nothing where it had noted nothing: what it has copied goes", async () => {
    const { folder, recover, files } = await interrupted({ "a.txt": { ...changed, now: "1\n" } })
    rmSync(join(folder, "journal.json"))
    expect(readdirSync(folder)).toEqual(["old"])
    expect(await recover()).toEqual({ type: "nothing" })
    expect([existsSync(folder), files()]).toEqual([false, { "a.txt": "644 1\n" }])
  })

  it.each<[string, Record<string, Step>, string[]]>([
    ["a file cannot be looked at", { [tooLong]: { ...added, now: undefined } }, []],
    ["a folder cannot be removed", { "a.txt": { ...changed, now: "1\n" } }, [tooLong]],
  ])("is left to the next call where %s", async (_, files, folders) => {
    const { folder, recover } = await interrupted(files, folders)
    await expect(recover()).rejects.toThrow("ENAMETOOLONG")
    expect(existsSync(join(folder, "journal.json"))).toBe(true)
  })

  it("is not taken for none where its journal cannot be read: the copies of what was there stay", async () => {
    const { folder, recover } = await interrupted({ "a.txt": { ...changed, now: "2\n" } })
    rmSync(join(folder, "journal.json"))
    symlinkSync("journal.json", join(folder, "journal.json"))
    await expect(recover()).rejects.toThrow("ELOOP")
    expect(readdirSync(join(folder, "old"))).toEqual(["0"])
  })
})
