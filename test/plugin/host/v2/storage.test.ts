import { describe, expect, it, vi } from "vitest"
import { BegunDeliveries } from "../../../../src/plugin/host/v2/begun-deliveries.ts"
import { scan } from "../../../../src/plugin/host/v2/storage.ts"
import { StoredSessions } from "../../../../src/plugin/host/v2/stored-sessions.ts"
import { contextDouble } from "./support/context-double.ts"

/** opencode's storage, and what two locations of one process keep there. */
function kept() {
  const { storage, stored } = contextDouble()
  let now = 1_000
  const clock = () => now
  const damaged: string[] = []
  return {
    damaged,
    storage,
    stored,
    pass(ms: number) {
      now += ms
    },
    sessions: new StoredSessions(storage, (session) => damaged.push(session), clock),
    elsewhere: new StoredSessions(storage, undefined, clock),
    begun: new BegunDeliveries(storage, clock),
  }
}

const namesOf = (found: { session: string }[]) => found.map(({ session }) => session)

/** A change that adds a name to those that are stored. */
const adding = (name: string) => (stored: unknown) => (Array.isArray(stored) ? [...stored, name] : [])

describe("A scan of opencode's storage", () => {
  it.each([0, 3, 499, 500, 501, 1_000, 1_200])("finds all of %i entries, in their order", async (count) => {
    const { storage, stored } = kept()
    const keys = Array.from({ length: count }, (_, index) => `a/${String(index).padStart(4, "0")}`)
    for (const key of ["0", ...keys, "b/1"]) stored.set(key, { key })
    expect(await scan(storage, "a/")).toEqual(keys.map((key) => ({ key, value: { key } })))
  })

  it("names no key to go on from at its beginning, which opencode would refuse", async () => {
    const { storage } = kept()
    const asked = vi.spyOn(storage, "scan")
    await scan(storage, "a/")
    expect(asked.mock.calls).toStrictEqual([[{ prefix: "a/", limit: 500 }]])
  })
})

describe("The record of a child", () => {
  it("is there with its parent and its time, until the child is deleted", async () => {
    const { sessions, stored } = kept()
    await sessions.add("ses_1", "ses_owner", { id: "a" })
    expect(await sessions.get("ses_1")).toEqual({
      parent: "ses_owner",
      at: 1_000,
      stored: { id: "a" },
    })
    await sessions.remove("ses_1")
    expect(await sessions.get("ses_1")).toBeUndefined()
    expect([...stored.keys()]).toEqual([])
  })

  it("is found by its owner alone, from each location", async () => {
    const { sessions, elsewhere } = kept()
    await sessions.add("ses_1", "ses_owner", {})
    await sessions.add("ses_2", "ses_owner", {})
    await elsewhere.add("ses_3", "ses_other", {})
    expect(await elsewhere.of("ses_owner")).toEqual(["ses_1", "ses_2"])
    expect(await sessions.of("ses_other")).toEqual(["ses_3"])
    await sessions.remove("ses_1")
    expect(await sessions.of("ses_owner")).toEqual(["ses_2"])
  })

  it("is found beside one that is no JSON, which is named: opencode fails all that it would be part of", async () => {
    const { sessions, storage, damaged } = kept()
    for (const id of ["ses_1", "ses_2", "ses_3"]) await sessions.add(id, "ses_owner", { id })
    const { get, scan } = storage
    const fail = async () => {
      throw new Error("Failed query")
    }
    storage.get = (key) => (key === "child/ses_2" ? fail() : get(key))
    storage.scan = (range) => (range.prefix === "child/" ? fail() : scan(range))
    expect(namesOf(await sessions.since(0))).toEqual(["ses_1", "ses_3"])
    expect(damaged).toEqual(["ses_2"])
    storage.get = get
    await expect(sessions.since(0)).rejects.toThrow("Failed query")
  })

  it.each(["child/ses_1", "owner/ses_owner/ses_1"])(
    "leaves nothing where %s fails to be stored",
    async (key) => {
      const { storage, stored } = kept()
      const set: typeof storage.set = async (at, value) => {
        if (at === key) throw new Error("the disk is full")
        return storage.set(at, value)
      }
      const sessions = new StoredSessions({ ...storage, set })
      await expect(sessions.add("ses_1", "ses_owner", {})).rejects.toThrow("the disk is full")
      expect(stored.size).toBe(0)
    },
  )

  it("is gone with its owner, and so are those of which only the name is left", async () => {
    const { sessions, stored } = kept()
    await sessions.add("ses_1", "ses_owner", {})
    await sessions.add("ses_2", "ses_other", {})
    stored.set("owner/ses_owner/ses_3", {})
    await sessions.removeOf("ses_owner")
    expect([...stored.keys()].toSorted()).toEqual(["child/ses_2", "owner/ses_other/ses_2"])
  })

  it("is found by when it was written last, from each location", async () => {
    const { sessions, elsewhere, pass } = kept()
    await sessions.add("ses_1", "ses_owner", {})
    pass(1_000)
    await elsewhere.add("ses_3", "ses_owner", {})
    expect(namesOf(await sessions.since(1_000))).toEqual(["ses_1", "ses_3"])
    expect(namesOf(await sessions.since(1_001))).toEqual(["ses_3"])
    pass(1_000)
    await sessions.update("ses_1", () => ({}))
    expect(namesOf(await sessions.since(3_000))).toEqual(["ses_1"])
  })

  it("is found with the owner above all others, however long ago those were written", async () => {
    const { sessions, pass } = kept()
    await sessions.add("ses_child", "ses_owner", {})
    pass(1_000)
    await sessions.add("ses_grandchild", "ses_child", {})
    await sessions.add("ses_other", "ses_other_owner", {})
    expect(await sessions.since(2_000)).toEqual([
      { session: "ses_grandchild", root: "ses_owner" },
      { session: "ses_other", root: "ses_other_owner" },
    ])
  })

  it("is left as it is where nothing is to be changed", async () => {
    const { sessions, pass } = kept()
    await sessions.add("ses_1", "ses_owner", { id: "a" })
    pass(1_000)
    await sessions.update("ses_1", () => undefined)
    expect(await sessions.get("ses_1")).toMatchObject({ at: 1_000, stored: { id: "a" } })
  })

  it("is made by no change: the child was deleted meanwhile", async () => {
    const { sessions, stored } = kept()
    const change = vi.fn(() => ({ id: "a" }))
    await expect(sessions.update("ses_1", change)).rejects.toMatchObject({ _tag: "NotFoundError" })
    expect(change).not.toHaveBeenCalled()
    expect(stored.size).toBe(0)
  })

  it("takes its changes one after the other, whichever of them fails; none waits for another child's", async () => {
    const { sessions } = kept()
    for (const session of ["ses_1", "ses_2"]) await sessions.add(session, "ses_owner", [])
    const changes = [
      sessions.update("ses_1", adding("first")),
      sessions.update("ses_1", () => {
        throw new Error("a defect")
      }),
      sessions.update("ses_1", adding("third")),
      sessions.update("ses_2", adding("other")),
    ]
    expect(await Promise.allSettled(changes)).toMatchObject([
      { status: "fulfilled" },
      { status: "rejected", reason: { message: "a defect" } },
      { status: "fulfilled" },
      { status: "fulfilled" },
    ])
    expect(await sessions.get("ses_1")).toMatchObject({ stored: ["first", "third"] })
    expect(await sessions.get("ses_2")).toMatchObject({ stored: ["other"] })
  })

  it("takes a change after those that are under way, though earlier ones are over", async () => {
    const { sessions } = kept()
    await sessions.add("ses_1", "ses_owner", [])
    const first = sessions.update("ses_1", adding("first"))
    const second = sessions.update("ses_1", adding("second"))
    await first
    await Promise.all([second, sessions.update("ses_1", adding("third"))])
    expect(await sessions.get("ses_1")).toMatchObject({ stored: ["first", "second", "third"] })
  })

  it("is stored as JSON, which is all that opencode's storage takes", async () => {
    const { sessions, stored } = kept()
    await sessions.add("ses_1", "ses_owner", { id: "a", error: undefined })
    expect(stored.get("child/ses_1")).toStrictEqual({
      parent: "ses_owner",
      at: 1_000,
      stored: { id: "a" },
    })
  })

  it("is none where something else stands in its place", async () => {
    const { sessions, stored } = kept()
    stored.set("child/ses_1", { parent: 7 })
    expect(await sessions.get("ses_1")).toBeUndefined()
    expect(await sessions.since(0)).toEqual([])
    await sessions.remove("ses_1")
    expect(stored.size).toBe(1)
  })
})

describe("A delivery that has begun", () => {
  it("is known with its mark, by its session, the oldest first", async () => {
    const { begun } = kept()
    for (const id of ["msg_2", "msg_1"]) await begun.add("ses_1", id, { delivered: [id] })
    await begun.add("ses_2", "msg_3", {})
    expect(await begun.of("ses_1")).toEqual([
      { messageID: "msg_1", mark: { delivered: ["msg_1"] } },
      { messageID: "msg_2", mark: { delivered: ["msg_2"] } },
    ])
  })

  it("is forgotten after 30 days, not after the days for which an opencode that was killed may lie", async () => {
    const { begun, stored, pass } = kept()
    await begun.add("ses_1", "msg_1", {})
    pass(30 * 24 * 3_600_000 - 1)
    await begun.add("ses_1", "msg_2", {})
    expect(await begun.of("ses_1")).toHaveLength(2)
    pass(1)
    expect(await begun.of("ses_1")).toEqual([{ messageID: "msg_2", mark: {} }])
    expect(stored.size).toBe(1)
  })

  it("stays what it was first, until opencode has said what it has under that id", async () => {
    const { begun } = kept()
    expect(await begun.add("ses_1", "msg_1", { delivered: ["a", "b"] })).toEqual({ delivered: ["a", "b"] })
    expect(await begun.add("ses_1", "msg_1", { delivered: ["a"] })).toEqual({ delivered: ["a", "b"] })
    expect(await begun.of("ses_1")).toEqual([{ messageID: "msg_1", mark: { delivered: ["a", "b"] } }])
    await begun.set("ses_1", "msg_1", { delivered: ["a"] })
    expect(await begun.of("ses_1")).toEqual([{ messageID: "msg_1", mark: { delivered: ["a"] } }])
  })

  it("is forgotten with its session, and where something else stands in its place", async () => {
    const { begun, stored } = kept()
    stored.set("delivery/ses_1/msg_0", { mark: {} })
    expect(await begun.of("ses_1")).toEqual([])
    await begun.add("ses_1", "msg_1", {})
    await begun.add("ses_2", "msg_2", {})
    await begun.forget("ses_1")
    expect([...stored.keys()]).toEqual(["delivery/ses_2/msg_2"])
  })
})
