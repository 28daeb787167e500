import { expect, it } from "vitest"
import { registerCopy } from "../../../src/plugin/person/copies.ts"

it("Two copies of the package that serve one directory are named, each by where it is loaded from", () => {
  const first = registerCopy("/project", "file:///one/server.js")
  const second = registerCopy("/project", "file:///two/server.js")
  expect(first.problem).toBeUndefined()
  expect(second.problem).toContain("from file:///one/server.js and from file:///two/server.js")
  first.remove()
  second.remove()
})

it("A copy that is loaded for another directory, or again by a reload, is no second one", () => {
  const first = registerCopy("/project", "file:///one/server.js")
  const elsewhere = registerCopy("/other", "file:///two/server.js")
  const reloaded = registerCopy("/project", "file:///one/server.js")
  expect([elsewhere.problem, reloaded.problem]).toEqual([undefined, undefined])
  for (const { remove } of [first, elsewhere, reloaded]) remove()
  const later = registerCopy("/project", "file:///two/server.js")
  expect(later.problem).toBeUndefined()
  later.remove()
})
