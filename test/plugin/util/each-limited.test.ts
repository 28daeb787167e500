import { expect, it } from "vitest"
import { eachLimited } from "../../../src/plugin/util/each-limited.ts"
import { gate } from "../../support/gate.ts"

it("What is to be done for many is done for a few at a time, and given back in their order", async () => {
  const gates = [..."abc"].map(() => gate<undefined>())
  const begun: number[] = []
  const all = eachLimited([0, 1, 2], 2, async (item) => {
    begun.push(item)
    await gates[item]?.passed
    return `made ${item}`
  })
  expect(begun).toEqual([0, 1])
  gates[1]?.open(undefined)
  await expect.poll(() => begun).toEqual([0, 1, 2])
  gates[2]?.open(undefined)
  gates[0]?.open(undefined)
  expect(await all).toEqual(["made 0", "made 1", "made 2"])
})

it("Where there is nothing to be done, nothing is given back", async () => {
  expect(await eachLimited([], 2, () => Promise.resolve("made"))).toEqual([])
})

it("A failure is told", async () => {
  await expect(eachLimited([1], 5, () => Promise.reject(new Error("no")))).rejects.toThrow("no")
})
