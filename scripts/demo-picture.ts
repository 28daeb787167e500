import { writeFileSync } from "node:fs"
import { stripVTControlCharacters } from "node:util"
import picocolors from "picocolors"
import type { Board } from "../demo/board.ts"
import { frameOf } from "../demo/frame.ts"
import { choose } from "../demo/generation.ts"
import { closingLines, introLines } from "../demo/report.ts"
import { type Outcome, run } from "../demo/run.ts"
import type { View } from "../demo/view.ts"
import { animate, type Frame, type Recording } from "./docs/animation.ts"
import { themes } from "./docs/colours.ts"

/**
 * Makes docs/demo.light.svg and docs/demo.dark.svg, the animation in the README: runs the demo for real, records the
 * frames of its terminal view, and draws the recording as SVG. `npm run pictures` runs it. The check does not: no two
 * runs take exactly the same time.
 */

const columns = 104
/** Milliseconds of the run between frames: as few as still look alive keep the files small. */
const everyMs = 150
/** Slower than it was: a reader needs longer than eight jobs of a scripted model. */
const slowdown = 1.4
/** How long the request stands alone, what the end looked like before the answer, and then all. Milliseconds. */
const pauses = { start: 1_500, answer: 800, end: 7_000 }

const colours = picocolors.createColors(true)
const top = [colours.dim("$ npm run demo"), ...introLines(columns), ""]

const recording = await record()
for (const theme of ["light", "dark"] as const) {
  const path = `docs/demo.${theme}.svg`
  const svg = animate(recording, themes[theme])
  writeFileSync(path, svg)
  console.log(`Written: ${path}, ${(svg.length / 1000).toFixed(1)} kB`)
}

async function record(): Promise<Recording> {
  const frames: Frame[] = [{ at: 0, lines: top }]
  let followed: { board: Board; since: number } | undefined
  let timer: NodeJS.Timeout | undefined

  function sample(): void {
    if (!followed) return
    const { board, since } = followed
    const now = Date.now()
    // On the beat, however late the timer is: layout and number of frames then hardly differ between runs.
    const at = pauses.start + Math.round((now - since) / everyMs) * everyMs * slowdown
    const lines = [...top, ...frameOf({ board }, colours, { width: columns, now })]
    if (at > (frames.at(-1)?.at ?? 0)) frames.push({ at, lines })
  }

  const view: View = {
    step: () => {},
    say: () => {},
    follow: (board) => {
      followed = { board, since: Date.now() }
      timer = setInterval(sample, everyMs)
    },
    changed: () => {},
    close: () => clearInterval(timer),
  }
  let outcome: Outcome | undefined
  const startedAt = Date.now()
  let elapsed = 0
  await run(choose(undefined).generation, view, async (given) => {
    outcome = given
    elapsed = Date.now() - startedAt
  })
  if (!outcome || outcome.problems.length > 0)
    throw new Error(`The demo did not end as expected: ${outcome?.problems.join("; ")}`)

  const last = frames.at(-1)?.at ?? 0
  const end = frameOf(outcome, colours, { width: columns, now: Date.now() })
  const closing = closingLines(outcome, elapsed, colours, columns)
  frames.push({ at: last + everyMs * slowdown, lines: [...top, ...end] })
  frames.push({ at: last + pauses.answer, lines: [...top, ...end, "", ...closing] })
  return {
    title: "opencode-troupe runs eight jobs at once",
    description: `A recording of "npm run demo". ${stripVTControlCharacters(closing.join(" "))}`,
    columns,
    frames,
    duration: last + pauses.answer + pauses.end,
  }
}
