import { expect, it } from "vitest"
import { overlapsOf } from "../../../src/plugin/worktrees/changes.ts"
import { foldersOf, listed, namesIn, pathOf, shownName } from "../../../src/plugin/worktrees/names.ts"

/** `ü` in UTF-8, then a byte that is no text. */
const bytes = Buffer.from([0xc3, 0xbc, 0xff])

it("Names come back from git as they are sent to it, whatever bytes they have", () => {
  const output = Buffer.concat([Buffer.from("a b\n\0"), bytes, Buffer.from("\0")])
  const names = namesIn(output)
  expect(names).toHaveLength(2)
  expect(names[0]).toBe("a b\n")
  expect(listed(names)).toEqual(output)
  expect([namesIn(Buffer.alloc(0)), listed([])]).toEqual([[], Buffer.alloc(0)])
})

it("A name is shown as the text that it is, and leads to the file of these bytes", () => {
  const [name = ""] = namesIn(Buffer.concat([bytes, Buffer.from("\0")]))
  expect(shownName(name)).toBe("ü\uFFFD")
  expect(pathOf("/ö", name)).toEqual(Buffer.concat([Buffer.from("/ö/"), bytes]))
})

it("A file is in all folders above it, the outermost first", () => {
  expect([foldersOf("a/b/c.txt"), foldersOf("c.txt")]).toEqual([["a", "a/b"], []])
})

it("Jobs overlap in the files that both have changed, of which 20 are told", () => {
  const many = Array.from({ length: 25 }, (_, index) => `${index}.txt`)
  const others = [
    { job: "b", files: ["x", ...many] },
    { job: "c", files: ["y"] },
    { job: "d", files: ["\xc3\xbc", "z"] },
  ]
  expect(overlapsOf([...many, "\xc3\xbc"], others)).toEqual([
    { job: "b", files: many.slice(0, 20) },
    { job: "d", files: ["ü"] },
  ])
})
