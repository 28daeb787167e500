import { type Board, type Call, jobsOf, stateOf } from "./board.ts"
import type { Colours } from "./colours.ts"
import type { Fate } from "./script.ts"
import { wrapped } from "./words.ts"

/** One job's outcome as the main agent reads it. */
export type JobResult = { id: string; head: string; text: string }

/** The blocks of an answer of agents_wait. */
export function resultsIn(output: string): JobResult[] {
  return [...output.matchAll(/^(<job id="([^"]*)".*>)\n([\s\S]*?)\n<\/job>$/gm)].map(
    ([, head = "", id = "", text = ""]) => ({ id, head, text }),
  )
}

/** The call in which the main agent collected everything: its last. */
export function collection(board: Board): Call | undefined {
  return [...board.calls.values()].findLast(({ tool }) => tool === "agents_wait")
}

/** The results as the main agent read them, long ones cut for the eye; no line wider than `width`. */
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

/** What is not as the script says, in words; empty when all is. */
export function surprises(board: Board, fates: readonly Fate[]): string[] {
  const call = collection(board)
  if (!call) return ["the main agent never collected its results"]
  const records = new Map(jobsOf(call.metadata).map((record) => [record.id, record]))
  const results = new Map(resultsIn(call.output).map((result) => [result.id, result]))

  const queued = [...board.past.values()].some((past) => past.includes("created.queued"))
  const odd = fates.flatMap(({ task: { id }, expected }) => {
    const record = records.get(id)
    const result = results.get(id)
    if (!record || !result) return [`${id}: the main agent got no result of it`]
    const reason = record.error?.message ?? ""
    const past = board.past.get(id) ?? []
    return [
      record.state === expected.state ? "" : `is ${stateOf(record)}, not ${expected.state}`,
      isExpected(result.text, expected)
        ? ""
        : `its text is not the script's, but ${JSON.stringify(result.text)}`,
      reason.includes(expected.reason ?? "") ? "" : `its reason is "${reason}", not "${expected.reason}"`,
      !expected.passes || past.includes(expected.passes) ? "" : `was never seen ${expected.passes}`,
    ]
      .filter((each) => each !== "")
      .map((each) => `${id}: ${each}`)
  })
  return queued ? odd : [...odd, "no job was seen waiting for a slot"]
}

function isExpected(said: string, { text: expected, atLeast }: Fate["expected"]): boolean {
  const text = said === "(it had written nothing)" ? "" : said
  return atLeast === undefined ? text === expected : text.length >= atLeast && expected.startsWith(text)
}
