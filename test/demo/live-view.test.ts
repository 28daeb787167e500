import { PassThrough } from "node:stream"
import { expect, it } from "vitest"
import { Board } from "../../demo/board.ts"
import { coloursFor } from "../../demo/colours.ts"
import { liveView } from "../../demo/live-view.ts"

it("leaves the last frame once, though Ctrl-C closes it again", () => {
  const out = Object.assign(new PassThrough(), { columns: 80, rows: 24, isTTY: false })
  const view = liveView(out, coloursFor(out))
  const board = new Board(["a"])
  board.began({ tool: "agents_start", input: {} })
  view.follow(board)
  view.close()
  const shown = `${out.read()}`
  expect(shown).toContain("agents_start")
  view.close()
  expect(out.read()).toBeNull()
})
