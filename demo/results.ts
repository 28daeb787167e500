import { hasEnded } from "../src/machines/record.ts"
import { type Board, type Call, stateOf } from "./board.ts"
import type { Colours } from "./colours.ts"
import type { PlannedJob } from "./script.ts"
import { outcomes, wrapped } from "./words.ts"

/** One job's result as the main agent receives it. */
export type JobResult = { id: string; state: string; head: string; text: string }

/** Reads the blocks in the output of agents_wait. */
export function resultsIn(output: string): JobResult[] {
  return [...output.matchAll(/^(<job id="([^"]*)" state="([^"]*)".*>)\n([\s\S]*?)\n<\/job>$/gm)].map(
    ([, head = "", id = "", state = "", text = ""]) => ({ id, state, head, text }),
  )
}

/** The call that collected all results: the last one. */
export function collection(board: Board): Call | undefined {
  return board.calls.findLast(({ tool }) => tool === "agents_wait")
}

export type ShownCall = Call & { isOver: boolean }

/**
 * The calls as far as the board shows the jobs that they tell of: the inspector may tell of these later than the main
 * agent is told.
 */
export function shownCalls({ calls, jobs }: Board): ShownCall[] {
  const known = new Map(jobs.map((job) => [job.id, job]))
  const hasEndedHere = (id: string) => {
    const job = known.get(id)
    return job !== undefined && hasEnded(job)
  }
  const shown = calls.map((call) => {
    const { output } = call
    const isOver =
      output !== undefined &&
      startedIn(output).every((id) => known.has(id)) &&
      resultsIn(output).every(({ id }) => hasEndedHere(id))
    return { ...call, isOver }
  })
  const open = shown.findIndex(({ isOver }) => !isOver)
  return open === -1 ? shown : shown.slice(0, open + 1)
}

/** What a call returned, in brief. */
export function outcomeOf({ output = "" }: Call): string {
  const started = startedIn(output)
  if (started.length > 0) return `${started.length} started`
  return outcomes(resultsIn(output)) || "no result yet"
}

function startedIn(output: string): string[] {
  const [, started] = output.match(/^Started: (.*?)\./) ?? []
  return started === undefined ? [] : started.split(", ")
}

/** The results as the main agent received them, long ones shortened; no line wider than `width`. */
export function resultLines(results: readonly JobResult[], colours: Colours, width?: number): string[] {
  const inside = width === undefined ? undefined : width - indent.length
  return results.flatMap(({ head, text }) => {
    const lines = text.split("\n")
    const shown = lines.slice(0, mostLines)
    const more = lines.length - shown.length
    return [
      ...wrapped(head, width).map(colours.cyan),
      ...shown.flatMap((line) => wrapped(line, inside)).map((line) => `${indent}${line}`),
      ...(more > 0 ? [colours.dim(`${indent}… ${more} more lines, ${text.length} characters in all`)] : []),
      colours.cyan("</job>"),
    ]
  })
}

const indent = "  "
const mostLines = 4

/** How the outcome differs from the plan, in words; empty if it does not. */
export function differences(board: Board, plan: readonly PlannedJob[]): string[] {
  const { output } = collection(board) ?? {}
  if (output === undefined) return ["the main agent never collected the results"]
  const records = new Map(board.jobs.map((record) => [record.id, record]))
  const results = new Map(resultsIn(output).map((result) => [result.id, result]))

  const queued = [...board.past.values()].some((past) => past.includes("created.queued"))
  const found = plan.flatMap(({ task: { id }, expected }) => {
    const record = records.get(id)
    const result = results.get(id)
    if (!record || !result) return [`${id}: the main agent received no result`]
    const reason = record.error?.message ?? ""
    const past = board.past.get(id) ?? []
    return [
      record.state === expected.state ? "" : `is ${stateOf(record)}, not ${expected.state}`,
      isExpected(result.text, expected)
        ? ""
        : `its text is ${JSON.stringify(result.text)}, which is not in the script`,
      reason.includes(expected.reason ?? "") ? "" : `its reason is "${reason}", without "${expected.reason}"`,
      !expected.passes || past.includes(expected.passes) ? "" : `never was ${expected.passes}`,
    ]
      .filter((each) => each !== "")
      .map((each) => `${id}: ${each}`)
  })
  return queued ? found : [...found, "no job was ever queued"]
}

function isExpected(said: string, { text: expected, atLeast }: PlannedJob["expected"]): boolean {
  // A note in parentheses is the plugin's own: the child wrote nothing.
  const text = /^\(.*\)$/.test(said) ? "" : said
  return atLeast === undefined ? text === expected : text.length >= atLeast && expected.startsWith(text)
}
