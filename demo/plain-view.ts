import type { Board } from "./board.ts"
import { outcomeOf, shownCalls } from "./results.ts"
import type { View } from "./view.ts"
import { argumentsOf, doing, oneLine, seconds } from "./words.ts"

/** One line for each change, for logs and pipes. */
export function plainView(say: (line: string) => void): View {
  let board: Board | undefined
  let followedAt = 0
  /** How many changes of each job, and of all calls, were printed. */
  const printedJobs = new Map<string, number>()
  let printedCalls = 0

  function print(subject: string, words: string): void {
    say(`${seconds(Date.now() - followedAt).padStart(5)}  ${subject.padEnd(10)}  ${oneLine(words)}`)
  }

  function printCalls(board: Board): void {
    const changes = shownCalls(board).flatMap((call) => [
      `${call.tool} ${argumentsOf(call)}`,
      ...(call.isOver ? [`${call.tool} → ${outcomeOf(call)}`] : []),
    ])
    for (const change of changes.slice(printedCalls)) print("main agent", change)
    printedCalls = changes.length
  }

  function printJobs(board: Board): void {
    for (const [id, past] of board.past) {
      const record = board.jobs.find((job) => job.id === id)
      for (const state of past.slice(printedJobs.get(id) ?? 0)) {
        const isNow = state === past.at(-1)
        const detail = record && isNow ? doing(record, Date.now()) : ""
        print(id, detail ? `${state}  ${short(detail)}` : state)
      }
      printedJobs.set(id, past.length)
    }
  }

  return {
    step: (words) => say(`${words} …`),
    say,
    follow: (followed) => {
      board = followed
      followedAt = Date.now()
    },
    changed: () => {
      if (!board) return
      printJobs(board)
      printCalls(board)
    },
    close: () => {},
  }
}

const short = (text: string) => (oneLine(text).length > 80 ? `${oneLine(text).slice(0, 79)}…` : text)
