import type { Colours } from "./colours.ts"
import { resultLines } from "./results.ts"
import type { Outcome } from "./run.ts"
import { concurrency, plan, request } from "./script.ts"
import { outcomes, seconds, wrapped } from "./words.ts"

/** What the demo prints before and after its run. Default width: no limit. */

export function introLines(width?: number): string[] {
  return [
    `The user asks: “${request}”`,
    `The main agent starts ${plan.length} jobs in one call, ${concurrency} may run at a time, and collects every result.`,
  ].flatMap((line) => wrapped(line, width))
}

export function outcomeLines(outcome: Outcome, elapsedMs: number, colours: Colours, width?: number) {
  return [
    colours.bold("Results the main agent received"),
    ...resultLines(outcome.results, colours, width),
    "",
    ...closingLines(outcome, elapsedMs, colours, width),
  ]
}

/** The main agent's answer, and whether the jobs ended as planned. */
export function closingLines(
  { board, answer, problems }: Outcome,
  elapsedMs: number,
  colours: Colours,
  width?: number,
): string[] {
  const summary = `${outcomes(board.jobs)}, in ${seconds(elapsedMs)} with the start of opencode`
  const verdict =
    problems.length === 0
      ? colours.green(`✓ All ${plan.length} jobs ended as expected: ${summary}.`)
      : colours.red(
          `✗ Not as expected: ${summary}. This is a bug in opencode-troupe, or a very slow machine.`,
        )
  return [
    colours.bold("Its answer to the user"),
    ...wrapped(answer, width),
    "",
    ...problems.flatMap((problem) => wrapped(colours.red(`✗ ${problem}`), width)),
    ...wrapped(verdict, width),
  ]
}
