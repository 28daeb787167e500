import { clearScreenDown, cursorTo, moveCursor } from "node:readline"
import type { WriteStream } from "node:tty"
import cliTruncate from "cli-truncate"
import { createLogUpdate } from "log-update"
import stringWidth from "string-width"
import { hasEnded } from "../src/machines/record.ts"
import type { Board, Call } from "./board.ts"
import type { Colours } from "./colours.ts"
import { jobTable, spin } from "./table.ts"
import type { View } from "./view.ts"
import { asking, outcomes, seconds } from "./words.ts"

const frameMs = 100

/** Redraws one frame in place: the jobs, below them what the main agent does. */
export function liveView(out: WriteStream, colours: Colours): View {
  const screen = createLogUpdate(out)
  let step: { words: string; since: number } | undefined
  let board: Board | undefined
  let drawn: string[] = []

  function lines(now: number): string[] {
    const shown = board ? boardLines(board, colours, { width: out.columns, now }) : []
    if (step) shown.push(`${colours.cyan(spin(now))} ${step.words} ${colours.dim(seconds(now - step.since))}`)
    return shown.map((line) => cliTruncate(line, out.columns))
  }

  function draw(): void {
    drawn = lines(Date.now())
    screen(drawn.join("\n"))
  }

  /** A terminal made narrower has wrapped what was drawn: more lines than log-update knows of. */
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
      clearInterval(timer)
      out.off("resize", redraw)
      step = undefined
      if (board) draw()
      else screen.clear()
      screen.done()
    },
  }
}

function boardLines(board: Board, colours: Colours, size: { width: number; now: number }): string[] {
  const jobs = board.jobs
  const ended = jobs.filter(hasEnded)
  const calls = [...board.calls.values()].map((call) => callLine(call, colours, size.now))
  if (jobs.length === 0) return [colours.bold("main agent"), ...calls]
  return [
    ...jobTable(board, colours, size),
    "",
    colours.bold("main agent"),
    ...calls,
    "",
    colours.dim([`${ended.length} of ${jobs.length} ended`, outcomes(ended)].filter(Boolean).join(": ")),
  ]
}

function callLine(call: Call, colours: Colours, now: number): string {
  const mark = { running: colours.cyan(spin(now)), completed: colours.green("✓"), error: colours.red("✗") }
  const asked = asking(call)
  return [
    mark[call.status],
    " ",
    call.tool.padEnd("agents_cancel".length),
    asked ? ` ${colours.dim(asked)}` : "",
    call.title ? ` → ${call.title}` : "",
  ].join("")
}
