import { clearScreenDown, cursorTo, moveCursor } from "node:readline"
import { createLogUpdate } from "log-update"
import stringWidth from "string-width"
import type { Board } from "./board.ts"
import type { Colours } from "./colours.ts"
import { frameOf, type Step } from "./frame.ts"
import type { View } from "./view.ts"

const frameMs = 100

type Terminal = NodeJS.WritableStream & { columns: number; rows: number }

/** Redraws one frame in place. */
export function liveView(out: Terminal, colours: Colours): View {
  const screen = createLogUpdate(out)
  let step: Step | undefined
  let board: Board | undefined
  let drawn: string[] = []
  let isClosed = false

  function draw(): void {
    drawn = frameOf({ board, step }, colours, { width: out.columns, now: Date.now() })
    screen(drawn.join("\n"))
  }

  /** A terminal that gets narrower wraps what was drawn, into more lines than log-update knows of. */
  function redraw(): void {
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(stringWidth(line) / out.columns)), 0)
    moveCursor(out, 0, -Math.min(rows, out.rows - 1))
    cursorTo(out, 0)
    clearScreenDown(out)
    screen.done()
    draw()
  }

  const timer = setInterval(draw, frameMs)
  out.on("resize", redraw)

  return {
    step: (words) => {
      step = { words, since: Date.now() }
      draw()
    },
    say: (line) => {
      screen.clear()
      out.write(`${line}\n\n`)
      draw()
    },
    follow: (followed) => {
      board = followed
      step = undefined
    },
    changed: () => {},
    close: () => {
      if (isClosed) return
      isClosed = true
      clearInterval(timer)
      out.off("resize", redraw)
      step = undefined
      if (board) draw()
      else screen.clear()
      screen.done()
    },
  }
}
