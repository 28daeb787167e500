import { describe, expect, it } from "vitest"
import { Board } from "../../demo/board.ts"
import { coloursFor } from "../../demo/colours.ts"
import { frameOf } from "../../demo/frame.ts"
import { plainView } from "../../demo/plain-view.ts"
import { type JobRecord, NO_USAGE } from "../../src/machines/record.ts"

const record = (id: string, state: JobRecord["state"]): JobRecord => ({
  id,
  session: `ses_${id}`,
  owner: "owner",
  description: "Look",
  agent: "general",
  state,
  run: 1,
  createdAt: 1,
  usage: NO_USAGE,
})

const ended = (id: string) => `<job id="${id}" state="done" run="1">\nx\n</job>`

/** The main agent's model may be told of a job before the inspector's stream tells of it. */
describe("What a call of the main agent returned", () => {
  const colours = coloursFor({ isTTY: false })
  const frame = (board: Board) => frameOf({ board }, colours, { width: 100, now: 0 }).join("\n")

  it("is shown with the jobs it tells of, not before them", () => {
    const board = new Board(["a", "b"])
    board.began({ tool: "agents_start", input: {} })
    board.returned("Started: a, b. Carry on; agents_wait returns their results.")
    expect(frame(board)).not.toContain("2 started")
    board.take(record("a", "prompting"))
    expect(frame(board)).not.toContain("2 started")
    board.take(record("b", "prompting"))
    expect(frame(board)).toContain("agents_start  → 2 started")

    board.began({ tool: "agents_wait", input: {} })
    board.returned([ended("a"), ended("b")].join("\n"))
    board.take(record("a", "done"))
    expect(frame(board)).not.toContain("2 done")
    board.take(record("b", "done"))
    expect(frame(board)).toMatch(/agents_wait +→ 2 done[\s\S]*2 of 2 ended: 2 done/)
  })

  it("comes after its jobs in lines, and before the next call", () => {
    const lines: string[] = []
    const view = plainView((line) => lines.push(line.replace(/^ *[\d.]+s +/, "").trim()))
    const board = new Board(["a"])
    view.follow(board)
    const steps = [
      () => board.began({ tool: "agents_start", input: {} }),
      () => board.returned("Started: a. Carry on; agents_wait returns their results."),
      () => board.began({ tool: "agents_wait", input: {} }),
      () => board.take(record("a", "created")),
      () => board.returned(ended("a")),
      () => board.take(record("a", "done")),
    ]
    for (const step of steps) {
      step()
      view.changed()
    }
    expect(lines).toEqual([
      "main agent  agents_start",
      "a           created",
      "main agent  agents_start → 1 started",
      "main agent  agents_wait",
      "a           done",
      "main agent  agents_wait → 1 done",
    ])
  })
})
