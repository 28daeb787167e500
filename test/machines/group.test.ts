import { describe, expect, it } from "vitest"
import { groupOf, isItemOf, standsFor } from "../../src/machines/group.ts"

/** Ids that look like those of the items of `files`, and are none. */
const others = [
  "files",
  "files.",
  "files.0",
  "files.01",
  "files.1x",
  "files.x1",
  "files.1.x",
  "filesx1",
  "my.files.1",
]

describe("A job for each of some items", () => {
  it.each(["files.1", "files.9", "files.12", "files.305"])(
    "has the id of its group, and a number: %s",
    (id) => {
      expect([isItemOf(id, "files"), groupOf(id)]).toEqual([true, "files"])
    },
  )

  it.each(others)("is no other: %s", (id) => {
    expect(isItemOf(id, "files")).toBe(false)
  })

  it("is of the innermost group where a group's id looks like that of an item", () => {
    expect([groupOf("a.1.2"), isItemOf("a.1.2", "a.1"), isItemOf("a.1.2", "a")]).toEqual(["a.1", true, false])
  })

  it.each(["files", "files.", ".1", "files.0", "files.1x", "files.x1"])(
    "is none of any group where its id is another: %s",
    (id) => {
      expect(groupOf(id)).toBeUndefined()
    },
  )

  it("is one that its group stands for, for as long as its item is in the list", () => {
    const files = { id: "files", isGroup: true } as const
    expect(standsFor(files, "files.1")).toBe(true)
    expect(standsFor({ ...files, formerItems: ["files.2"] }, "files.1")).toBe(true)
    expect(standsFor({ ...files, formerItems: ["files.1"] }, "files.1")).toBe(false)
    expect(standsFor(files, "others.1")).toBe(false)
  })

  it("is nothing to a job that stands for none, whatever their ids", () => {
    expect(standsFor({ id: "files" }, "files.1")).toBe(false)
  })
})
