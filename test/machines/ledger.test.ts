import { describe, expect, it } from "vitest"
import type { JobRecord } from "../../src/machines/record.ts"
import { play } from "./support/play.ts"
import { quietXState } from "./support/quiet.ts"

quietXState()

describe("The records of an owner", () => {
  it("are counted", async () => {
    const stage = play()
    const { records } = stage.troupe
    expect(records.countOf("owner")).toBe(0)
    await stage.startAll("j1", "j2")
    expect([records.countOf("owner"), records.countOf("other")]).toEqual([2, 0])
  })

  it("are none of one that is not known", () => {
    const { troupe } = play()
    const { records } = troupe
    expect([records.get("nobody", "j1"), records.of("nobody"), [...records.all()]]).toEqual([
      undefined,
      [],
      [],
    ])
    expect(records.bySession("ses_nobody")).toBeUndefined()
  })

  it("are gone once it is forgotten; who wants to know hears of each, until it has heard enough", async () => {
    const stage = play()
    await stage.startAll("j1", "j2")
    await stage.start("j1", { owner: "other" })
    const { records } = stage.troupe
    const heard: JobRecord[] = []
    const enough = records.onForgotten((record) => {
      expect(records.get(record.owner, record.id)).toBeUndefined()
      heard.push(record)
    })
    stage.troupe.forgetOwner("owner")
    expect(heard.map(({ owner, id }) => `${owner}/${id}`)).toEqual(["owner/j1", "owner/j2"])
    expect(records.bySession("ses_owner_j1")).toBeUndefined()
    enough()
    stage.troupe.forgetOwner("other")
    expect(heard).toHaveLength(2)
  })
})
