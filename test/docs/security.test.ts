import { readFileSync } from "node:fs"
import { expect, it } from "vitest"

const rows = readFileSync("docs/security.md", "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && line.includes("`test/"))
const shown = rows.map((row): [string, string] => {
  const [, file = "", title = ""] = row.match(/`(test\/[^`]+)`: (.+) \|$/) ?? []
  return [file, title]
})

it("has a test for each attack", () => {
  expect(rows.length).toBeGreaterThan(15)
})

it.each(shown)("names a test that is there: %s: %s", (file, title) => {
  expect(title).not.toBe("")
  expect(readFileSync(file, "utf8")).toContain(title)
})
