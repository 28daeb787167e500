import { describe, expect, it } from "vitest"
import { hint } from "../../../src/plugin/owners/system-prompt.ts"

describe("The hint for the main agent", () => {
  it("says when to wait in the same call and when to wait later, and what to start together", () => {
    const words = hint(false)
    expect(words).toMatch(/nothing else to do, pass wait: true; else do your part, then call agents_wait/)
    expect(words).toMatch(/all in one agents_start call, with what builds on their results \(needs\)/)
    expect(words).toMatch(/same files need isolation/)
    expect(words).not.toContain("stop when this turn ends")
  })

  it("says that jobs end with the turn, where they do", () => {
    expect(hint(true)).toMatch(/Jobs stop when this turn ends: wait for them before you answer\.$/)
  })
})
