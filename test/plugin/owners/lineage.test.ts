import { describe, expect, it, vi } from "vitest"
import { createLineage } from "../../../src/plugin/owners/lineage.ts"
import { jobInput } from "../../machines/support/jobs.ts"
import { failed } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"

function family() {
  const { host, troupe } = testServices()
  host.sessions.set("child", sessionOf("child", { parentID: "owner" }))
  host.sessions.set("grandchild", sessionOf("grandchild", { parentID: "child" }))
  const session = vi.fn(host.session)
  return { host, session, troupe, lineage: createLineage({ ...host, session }, troupe.records) }
}

describe("How deep a session is", () => {
  it("is how many parents it has", async () => {
    const { lineage } = family()
    const depths = await Promise.all(["owner", "child", "grandchild"].map((id) => lineage.depthOf(id)))
    expect(depths).toEqual([0, 1, 2])
  })

  it("is asked of opencode once", async () => {
    const { lineage, session } = family()
    await lineage.depthOf("child")
    await lineage.depthOf("child")
    expect(session.mock.calls).toEqual([["child"], ["owner"]])
  })

  it("is kept of a thousand sessions, and asked again of an older one", async () => {
    const { lineage, host, session } = family()
    await lineage.depthOf("owner")
    for (let index = 1; index <= 1_000; index++) {
      host.sessions.set(`other-${index}`, sessionOf(`other-${index}`))
      await lineage.depthOf(`other-${index}`)
    }
    session.mockClear()
    expect([await lineage.depthOf("other-1"), await lineage.depthOf("other-1000")]).toEqual([0, 0])
    expect(session).not.toHaveBeenCalled()
    expect(await lineage.depthOf("owner")).toBe(0)
    expect(session.mock.calls).toEqual([["owner"]])
  })

  it("of an owner is asked once for all its children", async () => {
    const { lineage, session, troupe } = family()
    for (const id of ["a", "b"]) troupe.start(jobInput({ id, session: `ses_${id}` }))
    expect([await lineage.depthOf("ses_a"), await lineage.depthOf("ses_b")]).toEqual([1, 1])
    expect(session.mock.calls).toEqual([["owner"]])
  })

  it("is that of a job's child below its owner, though an opencode that makes no child sessions tells of no parent", async () => {
    const { lineage, host, troupe } = family()
    troupe.start(jobInput({ id: "a", session: "root" }))
    host.sessions.set("root", sessionOf("root"))
    expect(await lineage.depthOf("root")).toBe(1)
  })

  it("is not asked of opencode by whoever heard the session being made", async () => {
    const { lineage, session } = family()
    lineage.hear({ type: "session.created", session: "owner", parent: undefined })
    lineage.hear({ type: "session.created", session: "child", parent: "owner" })
    expect([await lineage.depthOf("owner"), await lineage.depthOf("child")]).toEqual([0, 1])
    expect(session).not.toHaveBeenCalled()
  })

  it("of a job's child is that below its owner, though it was heard of without a parent", async () => {
    const { lineage, troupe } = family()
    lineage.hear({ type: "session.created", session: "root", parent: undefined })
    troupe.start(jobInput({ id: "a", session: "root" }))
    expect(await lineage.depthOf("root")).toBe(1)
  })

  it("is not known where opencode does not say, and is asked again", async () => {
    const { lineage, session } = family()
    session.mockResolvedValueOnce(failed("not now"))
    expect(await lineage.depthOf("child")).toBeUndefined()
    expect(await lineage.depthOf("child")).toBe(1)
    expect(await lineage.depthOf("nobody")).toBeUndefined()
  })
})
