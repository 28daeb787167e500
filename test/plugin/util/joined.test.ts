import { expect, it, vi } from "vitest"
import { joined } from "../../../src/plugin/util/joined.ts"

it("Calls that come while one is under way have its outcome; later ones are made anew", async () => {
  const call = vi.fn(async () => call.mock.calls.length)
  const join = joined(call)
  expect(await Promise.all([join(), join(), join()])).toEqual([1, 1, 1])
  expect(await join()).toBe(2)
})

it("A call that fails, fails for those who have joined it alone", async () => {
  const call = vi.fn(async () => "answer")
  call.mockRejectedValueOnce(new Error("not now"))
  const join = joined(call)
  const outcomes = await Promise.allSettled([join(), join()])
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"])
  expect(await join()).toBe("answer")
})
