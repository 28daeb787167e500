import type { Board } from "./board.ts"
import type { View } from "./view.ts"
import { asking, doing, oneLine, seconds } from "./words.ts"

/** A line for each change, for logs and pipes. */
export function plainView(say: (line: string) => void): View {
  let board: Board | undefined
  let followedAt = 0
  /** How many changes of each job, and which state of each call, were told. */
  const toldJobs = new Map<string, number>()
  const toldCalls = new Map<string, string>()

  function tell(subject: string, words: string): void {
    say(`${seconds(Date.now() - followedAt).padStart(5)}  ${subject.padEnd(10)}  ${oneLine(words)}`)
  }

  function tellCalls({ calls }: Board): void {
    for (const [id, call] of calls) {
      if (toldCalls.get(id) === call.status) continue
      if (!toldCalls.has(id)) tell("main agent", `${call.tool} ${asking(call)}`)
      if (call.status !== "running") tell("main agent", `${call.tool} → ${call.title || call.output}`)
      toldCalls.set(id, call.status)
    }
  }

  function tellJobs(board: Board): void {
    for (const [id, past] of board.past) {
      const record = board.jobs.find((job) => job.id === id)
      for (const state of past.slice(toldJobs.get(id) ?? 0)) {
        const isNow = state === past.at(-1)
        const detail = record && isNow ? doing(board, record, Date.now()) : ""
        tell(id, detail ? `${state}  ${short(detail)}` : state)
      }
      toldJobs.set(id, past.length)
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
      tellCalls(board)
      tellJobs(board)
    },
    close: () => {},
  }
}

const short = (text: string) => (oneLine(text).length > 80 ? `${oneLine(text).slice(0, 79)}…` : text)
