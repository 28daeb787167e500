import { describe, expect, it, vi } from "vitest"
import { createLineage } from "../../../src/plugin/owners/lineage.ts"
import { failed, hostDouble } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"

function family() {
  const host = hostDouble()
  host.sessions.set("child", sessionOf("child", { parentID: "owner" }))
  host.sessions.set("grandchild", sessionOf("grandchild", { parentID: "child" }))
  const session = vi.fn(host.session)
  return { host, session, lineage: createLineage({ ...host, session }) }
}

describe("How deep a session is", () => {
  it("is how many parents it has", async () => {
    const { lineage } = family()
    const depths = await Promise.all(["owner", "child", "grandchild"].map((id) => lineage.depthOf(id)))
    expect(depths).toEqual([0, 1, 2])
  })

  it("is asked of opencode once for each session", async () => {
    const { lineage, session } = family()
    await lineage.depthOf("grandchild")
    await lineage.depthOf("grandchild")
    expect(await lineage.depthOf("child")).toBe(1)
    expect(session).toHaveBeenCalledTimes(3)
  })

  it("is not known where opencode does not say, and is asked again", async () => {
    const { lineage, session } = family()
    session.mockResolvedValueOnce(failed("not now"))
    expect(await lineage.depthOf("child")).toBeUndefined()
    expect(await lineage.depthOf("child")).toBe(1)
    expect(await lineage.depthOf("nobody")).toBeUndefined()
  })

  it.each([
    ["before", [undefined, "owner"]],
    ["after", ["owner", undefined]],
  ])("is that of the parent in our records, told of %s it is told of without one", async (_, parents) => {
    const { lineage } = family()
    for (const parent of parents) lineage.remember("new", parent)
    expect(await lineage.depthOf("new")).toBe(1)
  })

  it("is known of a child before anybody asks, and is forgotten with it", async () => {
    const { lineage, session } = family()
    lineage.remember("new", "owner")
    expect(await lineage.depthOf("new")).toBe(1)
    expect(session.mock.calls).toEqual([["owner"]])
    lineage.forget("new")
    expect(await lineage.depthOf("new")).toBeUndefined()
  })
})
