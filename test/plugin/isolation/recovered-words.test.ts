import { describe, expect, it } from "vitest"
import { recoveredWords } from "../../../src/plugin/isolation/recovered-words.ts"

describe("What has become of an apply that a crash has interrupted", () => {
  it("is not told where none was", () => {
    expect(recoveredWords({ type: "nothing" })).toBeUndefined()
  })

  it("is told in a line where it is as if it had ended, or had never begun", () => {
    expect(recoveredWords({ type: "finished" })).toBe(
      "an agents_apply that was interrupted has been finished",
    )
    expect(recoveredWords({ type: "undone", changed: [] })).toBe(
      "an agents_apply that was interrupted has been undone",
    )
  })

  it("names the files that are neither, as nobody else knows of them, and says what to do", () => {
    const changed = ["a.txt", Buffer.from("é\n").toString("latin1")]
    expect(recoveredWords({ type: "undone", changed })).toBe(
      "an agents_apply that was interrupted has been undone, but for files that somebody has changed since, which stay " +
        'as they are: "a.txt", "é\\n"; see with git diff whether they are as you want them',
    )
  })
})
