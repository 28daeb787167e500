import cliTruncate from "cli-truncate"
import { hasEnded } from "../src/machines/record.ts"
import type { Board } from "./board.ts"
import type { Colours } from "./colours.ts"
import { outcomeOf, type ShownCall, shownCalls } from "./results.ts"
import { jobTable, spin } from "./table.ts"
import { argumentsOf, outcomes, seconds } from "./words.ts"

export type Step = { words: string; since: number }
type Size = { width: number; now: number }

/** The lines of one frame, none wider than `width`: the jobs, below them the main agent's calls. */
export function frameOf(
  { board, step }: { board?: Board | undefined; step?: Step | undefined },
  colours: Colours,
  { width, now }: Size,
): string[] {
  const lines = board ? boardLines(board, colours, { width, now }) : []
  if (step) lines.push(`${colours.cyan(spin(now))} ${step.words} ${colours.dim(seconds(now - step.since))}`)
  return lines.map((line) => cliTruncate(line, width))
}

function boardLines(board: Board, colours: Colours, size: Size): string[] {
  const jobs = board.jobs
  const ended = jobs.filter(hasEnded)
  const calls = shownCalls(board).map((call) => callLine(call, colours, size.now))
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

function callLine(call: ShownCall, colours: Colours, now: number): string {
  const { isOver } = call
  const given = argumentsOf(call)
  return [
    isOver ? colours.green("✓") : colours.cyan(spin(now)),
    " ",
    call.tool.padEnd("agents_cancel".length),
    given ? ` ${colours.dim(given)}` : "",
    isOver ? ` → ${outcomeOf(call)}` : "",
  ].join("")
}
