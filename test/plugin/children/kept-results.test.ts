import { mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { keepResult, outputFolder } from "../../../src/plugin/children/kept-results.ts"
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
  const first = await keepResult("ses_1-a", "first", { folder: path })
  expect(await keepResult("ses_1-a", "second", { folder: path })).toBe(first)
  expect([readFileSync(first ?? "", "utf8"), readFileSync(other, "utf8")]).toEqual([
    "second",
    "somebody else's",
  ])
})

it("Results of the week before are removed, and nothing else", async () => {
  const path = folder()
  mkdirSync(path)
  for (const name of ["troupe-old.txt", "tool_old"]) {
    writeFileSync(join(path, name), "")
    utimesSync(join(path, name), 0, 0)
  }
  await keepResult("new", "new", { folder: path })
  expect(readdirSync(path).toSorted()).toEqual(["tool_old", "troupe-new.txt"])
})

it("A result that is kept has its path, whatever of the week before cannot be removed", async () => {
  const path = folder()
  mkdirSync(join(path, "troupe-folder"), { recursive: true })
  utimesSync(join(path, "troupe-folder"), 0, 0)
  expect(await keepResult("new", "new", { folder: path })).toBe(join(path, "troupe-new.txt"))
})

it("A result that cannot be kept has no path", async () => {
  const path = folder()
  writeFileSync(path, "no folder")
  expect(await keepResult("a", "text", { folder: path })).toBeUndefined()
})

it("The folder is opencode's own for outputs", () => {
  expect(outputFolder({ XDG_DATA_HOME: "/data" })).toBe(join("/data", "opencode", "tool-output"))
  expect(outputFolder({})).toMatch(/\.local.share.opencode.tool-output$/)
})
