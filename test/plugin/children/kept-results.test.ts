import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { keepResult, outputFolder, removeResults } from "../../../src/plugin/children/kept-results.ts"
import { tempFolder } from "../../support/temp-folder.ts"

function folder(): string {
  const temp = tempFolder("kept")
  onTestFinished(temp.remove)
  return join(temp.path, "tool-output")
}

it("A result is kept under the same name each time, and takes the place of whatever has it, not of what that leads to", async () => {
  const path = folder()
  mkdirSync(path)
  const other = join(path, "other")
  writeFileSync(other, "somebody else's")
  symlinkSync(other, join(path, "troupe-ses_1-a.txt"))
  const first = await keepResult({ session: "ses_1", id: "a" }, "first", { folder: path })
  expect(await keepResult({ session: "ses_1", id: "a" }, "second", { folder: path })).toBe(first)
  expect([readFileSync(first ?? "", "utf8"), readFileSync(other, "utf8")]).toEqual([
    "second",
    "somebody else's",
  ])
})

it("A result is this user's alone, and so is the folder", async () => {
  const path = folder()
  const kept = await keepResult({ session: "ses_1", id: "a" }, "text", { folder: path })
  expect([kept ?? "", path].map((each) => statSync(each).mode & 0o777)).toEqual([0o600, 0o700])
})

it("Results of the week before are removed, and nothing else", async () => {
  const path = folder()
  mkdirSync(path)
  for (const name of [
    "troupe-ses_old-a.1.txt",
    "tool_old",
    "troupe-notes.txt",
    "my-troupe-ses_1-a.txt",
    "troupe-ses_1-a.txt.bak",
  ]) {
    writeFileSync(join(path, name), "")
    utimesSync(join(path, name), 0, 0)
  }
  await keepResult({ session: "ses_new", id: "a" }, "new", { folder: path })
  expect(readdirSync(path).toSorted()).toEqual([
    "my-troupe-ses_1-a.txt",
    "tool_old",
    "troupe-notes.txt",
    "troupe-ses_1-a.txt.bak",
    "troupe-ses_new-a.txt",
  ])
})

it("A result is kept for a week, to the millisecond", async () => {
  const path = folder()
  const week = 7 * 24 * 60 * 60 * 1_000
  mkdirSync(path)
  writeFileSync(join(path, "troupe-ses_1-a.txt"), "")
  utimesSync(join(path, "troupe-ses_1-a.txt"), 0, 0)
  const keepAt = (time: number) =>
    keepResult({ session: "ses_2", id: "a" }, "new", { folder: path, now: () => time })
  await keepAt(week)
  expect(readdirSync(path)).toHaveLength(2)
  await keepAt(week + 1)
  expect(readdirSync(path)).toEqual(["troupe-ses_2-a.txt"])
})

it("A result that is kept has its path, whatever of the week before cannot be removed", async () => {
  const path = folder()
  mkdirSync(join(path, "troupe-ses_1-b.txt"), { recursive: true })
  utimesSync(join(path, "troupe-ses_1-b.txt"), 0, 0)
  expect(await keepResult({ session: "ses_new", id: "a" }, "new", { folder: path })).toBe(
    join(path, "troupe-ses_new-a.txt"),
  )
})

it("What was kept for a child goes with its session, and nothing else does", async () => {
  const path = folder()
  mkdirSync(join(path, "troupe-ses_1-folder.txt"), { recursive: true })
  symlinkSync("/etc/hosts", join(path, "troupe-ses_1-link.txt"))
  writeFileSync(join(path, "troupe-ses_1x.txt"), "")
  for (const [session, id] of [
    ["ses_1", "a"],
    ["ses_1", "b.1"],
    ["ses_12", "a"],
  ] as const)
    await keepResult({ session, id }, "kept", { folder: path })
  await removeResults("ses_1", { folder: path })
  expect(readdirSync(path).toSorted()).toEqual([
    "troupe-ses_1-folder.txt",
    "troupe-ses_1-link.txt",
    "troupe-ses_12-a.txt",
    "troupe-ses_1x.txt",
  ])
})

it("Nothing goes with a session that nothing was kept for, or a folder that there is not", async () => {
  const path = folder()
  await removeResults("ses_1", { folder: path })
  await keepResult({ session: "ses_1", id: "a" }, "kept", { folder: path })
  for (const session of ["", "ses_2", "ses_1-a", ".*"]) await removeResults(session, { folder: path })
  expect(readdirSync(path)).toEqual(["troupe-ses_1-a.txt"])
})

it("A result that cannot be kept has no path", async () => {
  const path = folder()
  writeFileSync(path, "no folder")
  expect(await keepResult({ session: "ses_1", id: "a" }, "text", { folder: path })).toBeUndefined()
})

it("The folder is opencode's own for outputs", () => {
  expect(outputFolder({ XDG_DATA_HOME: "/data" })).toBe(join("/data", "opencode", "tool-output"))
  expect(outputFolder({})).toMatch(/\.local.share.opencode.tool-output$/)
})
