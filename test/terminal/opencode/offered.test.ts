import { expect, it } from "vitest"
import { missingIn } from "../../../src/terminal/opencode/offered.ts"

it("What an opencode does not hand to its terminal's parts is named", () => {
  const client = Object.assign(() => {}, { session: { list: () => {} } })
  const given = { client, keymap: null, ui: { toast: () => {}, dialog: undefined } }
  const needed = ["client.session.list", "keymap.layer", "ui.toast", "ui.dialog.show", "attention.notify"]
  expect(missingIn(given, needed)).toEqual(["keymap.layer", "ui.dialog.show", "attention.notify"])
})
