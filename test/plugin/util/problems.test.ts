import { expect, it } from "vitest"
import { Problems } from "../../../src/plugin/util/problems.ts"

it("A problem is said once to each who listens, whether it came before or after", () => {
  const problems = new Problems()
  const early: string[] = []
  const late: string[] = []
  problems.subscribe((problem) => early.push(problem))
  for (const problem of ["no wait", "no log", "no wait"]) problems.add(problem)
  problems.subscribe((problem) => late.push(problem))
  problems.add("no hook")
  problems.add("no log")
  expect([early, late, problems.all]).toEqual(Array(3).fill(["no wait", "no log", "no hook"]))
})
