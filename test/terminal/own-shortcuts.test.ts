import { expect, it } from "vitest"
import { ownShortcuts } from "../../src/terminal/view/own-shortcuts.ts"

it("A key that a person has given to another command of the dialog is not shown where it does nothing", () => {
  const set: Record<string, string> = { down: "down,ctrl+r", read: "ctrl+r", copy: "ctrl+y,down", cancel: "" }
  const keys = ["down", "read", "copy", "cancel"].map((id) => ({ id }))
  const shown = ownShortcuts(keys, (id) => set[id] ?? "")
  expect(keys.map(({ id }) => shown(id))).toEqual(["down,ctrl+r", "", "ctrl+y", ""])
})
