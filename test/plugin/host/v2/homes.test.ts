import { expect, it, onTestFinished } from "vitest"
import type { HostSession } from "../../../../src/plugin/host/port.ts"
import { createHomes } from "../../../../src/plugin/host/v2/homes.ts"

let count = 0

/** Two locations of one process, and an owner of theirs whose child is an owner as well. */
function twoLocations() {
  const owner = `ses_${count++}`
  const child = `${owner}_child`
  const session = async (id: string) => {
    const { parent = undefined } = id === child ? { parent: owner } : {}
    const found: HostSession = {
      id,
      parent,
      directory: "/here",
      title: "",
      isReverted: false,
      rules: [],
      usage: { input: 0, output: 0, reasoning: 0, cacheRead: 0, cacheWrite: 0, cost: 0 },
      updatedAt: 0,
      stored: undefined,
    }
    return { ok: true as const, value: found }
  }
  const instance = (directory: string) => {
    const homes = createHomes(directory, { session })
    onTestFinished(homes.end)
    return homes
  }
  return { owner, child, instance, here: instance("/here"), there: instance("/there") }
}

it("An owner's jobs, and those of its children, are the instance's that had them first", async () => {
  const { owner, child, here, there } = twoLocations()
  expect(await here.of(owner)).toBeUndefined()
  expect(await here.enter(child)).toBe("/here")
  expect(await there.enter(owner)).toBe("/here")
  expect(await there.of(child)).toBe("/here")
})

it("The others hear when an instance ends that had any", async () => {
  const { owner, here, there } = twoLocations()
  const heard: string[] = []
  here.onLeft(() => heard.push("here"))
  there.onLeft(() => heard.push("there"))
  await here.enter(owner)
  there.end()
  expect(heard).toEqual([])
  here.end()
  expect(heard).toEqual([])
  const third = twoLocations()
  third.there.onLeft(() => heard.push("third"))
  await third.here.enter(third.owner)
  third.here.end()
  expect(heard).toEqual(["third"])
})

it("What an instance had is the next one's of its location, or whoever's that is asked for it first", async () => {
  const { owner, here, there, instance } = twoLocations()
  await here.enter(owner)
  here.end()
  const next = instance("/here")
  expect(next.left()).toContain(owner)
  expect(there.left()).not.toContain(owner)
  expect(await there.of(owner)).toBeUndefined()
  expect(await there.enter(owner)).toBe("/there")
  expect(await next.enter(owner)).toBe("/there")
  expect(next.left()).not.toContain(owner)
})
