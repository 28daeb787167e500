import { describe, expect, it } from "vitest"
import { unattendedDecision } from "../../../../src/plugin/host/v1/unattended.ts"

describe("Permission requests", () => {
  const decision = (...args: string[]) => unattendedDecision(["/usr/bin/opencode", ...args])

  it("are rejected by `opencode run`, or allowed where a person has said so", () => {
    expect(decision("run", "do it")).toBe("reject")
    for (const flag of ["--auto", "--yolo", "--dangerously-skip-permissions"])
      expect(decision("--print-logs", "run", flag, "do it")).toBe("once")
  })

  it("are answered by a person everywhere else", () => {
    for (const args of [
      [],
      ["serve"],
      ["--auto"],
      ["run", "-i"],
      ["run", "--interactive"],
      ["run", "--mini", "--auto"],
    ])
      expect(decision(...args)).toBeUndefined()
  })
})
