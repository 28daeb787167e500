import { expect, it } from "vitest"
import { decodeRule, encodeRule } from "../../../../src/plugin/host/v2/rules.ts"

it.each([
  ["task", "subagent"],
  ["bash", "shell"],
  ["edit", "edit"],
  ["*", "*"],
])("The permission %s is called %s in opencode 2", (permission, action) => {
  const ours = { permission, pattern: "a *", action: "ask" } as const
  const theirs = { action, resource: "a *", effect: "ask" } as const
  expect(encodeRule(ours)).toEqual(theirs)
  expect(decodeRule(theirs)).toEqual(ours)
})
