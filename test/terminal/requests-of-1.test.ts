import { expect, it, vi } from "vitest"
import { openRequests, type Place, type Told } from "../../src/terminal/opencode/requests-of-1.ts"

/** opencode, in which `ses_below` is below `ses_child`, which is below `ses_owner`. */
function opencode() {
  const parents: Record<string, string> = { ses_below: "ses_child", ses_child: "ses_owner" }
  const listeners: [string, (event: { properties: Told }, from?: Place) => void][] = []
  let answer: (told: Told[]) => void = () => {}
  let listed = new Promise<{ data?: Told[] }>((resolve) => {
    answer = (data) => resolve({ data })
  })
  const elsewhere = new Map<string, Told[]>()
  let isFailing = false
  const changed = vi.fn()
  const requests = openRequests(
    {
      permission: {
        list: async ({ directory } = {}) =>
          directory === undefined ? listed : { data: elsewhere.get(directory) ?? [] },
      },
      question: { list: async () => ({ data: [] }) },
      session: {
        get: async ({ sessionID }) => {
          if (isFailing) {
            isFailing = false
            throw new Error("no answer")
          }
          const parentID = parents[sessionID]
          return { data: parentID === undefined ? {} : { parentID } }
        },
      },
    },
    {
      on: (type, hear) => {
        listeners.push([type, hear])
        return () => {}
      },
    },
    () => "/project",
    changed,
  )
  const idsOf = (session: string) => requests.of(session).map(({ id }) => id)
  return {
    requests,
    changed,
    idsOf,
    lists: answer,
    elsewhere,
    listsNext: (data: Told[] | undefined) => {
      listed = Promise.resolve({ ...(data && { data }) })
    },
    failOnce: () => {
      isFailing = true
    },
    happens: (type: string, properties: Told, directory = "/project") => {
      for (const [each, hear] of listeners) if (each === type) hear({ properties }, { directory })
    },
  }
}

const permission = (id: string, sessionID: string): Told => ({
  id,
  sessionID,
  permission: "bash",
  patterns: ["ls"],
})

it("What a session below a child asks, the child asks, and the job's owner is told", async () => {
  const { idsOf, changed, happens } = opencode()
  happens("permission.asked", permission("p1", "ses_below"))
  await vi.waitFor(() => expect(idsOf("ses_child")).toEqual(["p1"]))
  expect(idsOf("ses_other")).toEqual([])
  await vi.waitFor(() => expect(changed).toHaveBeenCalledWith("ses_child"))
})

it("What waited before the terminal was there is known, but for what ended meanwhile", async () => {
  const { idsOf, lists, happens } = opencode()
  happens("permission.replied", { requestID: "p2" })
  lists([permission("p1", "ses_child"), permission("p2", "ses_child")])
  await vi.waitFor(() => expect(idsOf("ses_child")).toEqual(["p1"]))
})

it.each(["server.connected", "server.instance.disposed"])(
  "Which ones are open is read anew with %s",
  async (type) => {
    const { idsOf, listsNext, happens } = opencode()
    happens("permission.asked", permission("p1", "ses_child"))
    listsNext([permission("p2", "ses_child")])
    happens(type, {})
    await vi.waitFor(() => expect(idsOf("ses_child")).toEqual(["p2"]))
  },
)

it("What is heard to be asked in another directory belongs there, and what is asked here to no other", async () => {
  const { requests, idsOf, lists, elsewhere, happens } = opencode()
  happens("permission.asked", permission("p1", "ses_child"), "/w/a")
  happens("permission.asked", permission("p2", "ses_child"))
  expect(requests.get("p1")).toMatchObject({ directory: "/w/a" })
  expect(requests.get("p2")).not.toHaveProperty("directory")
  elsewhere.set("/w/a", [permission("p1", "ses_child")])
  lists([permission("p2", "ses_child")])
  happens("server.connected", {})
  await vi.waitFor(() => expect(idsOf("ses_child")).toEqual(["p1", "p2"]))
})

it("What is asked in another directory is read there, and ends as it is no longer listed there", async () => {
  const { requests, idsOf, elsewhere, happens, listsNext } = opencode()
  happens("permission.asked", permission("p1", "ses_child"))
  elsewhere.set("/w/a", [permission("p2", "ses_below")])
  await requests.read("/w/a")
  await vi.waitFor(() => expect(idsOf("ses_child")).toEqual(["p1", "p2"]))
  expect(requests.get("p2")).toMatchObject({ directory: "/w/a" })
  // The terminal's own directory says nothing of it.
  listsNext([permission("p1", "ses_child")])
  happens("server.connected", {})
  await requests.read("/w/b")
  expect(idsOf("ses_child")).toEqual(["p1", "p2"])
  elsewhere.set("/w/a", [])
  await requests.read("/w/a")
  expect(idsOf("ses_child")).toEqual(["p1"])
})

it("What cannot be read anew stays", async () => {
  const { idsOf, listsNext, happens } = opencode()
  happens("permission.asked", permission("p1", "ses_child"))
  listsNext(undefined)
  happens("server.connected", {})
  await Promise.resolve()
  expect(idsOf("ses_child")).toEqual(["p1"])
})

it("Where a session belongs is asked again where opencode did not say", async () => {
  const { idsOf, failOnce, happens } = opencode()
  failOnce()
  happens("permission.asked", permission("p1", "ses_below"))
  await vi.waitFor(() => expect(idsOf("ses_below")).toEqual(["p1"]))
  expect(idsOf("ses_child")).toEqual([])
  happens("permission.asked", permission("p2", "ses_below"))
  await vi.waitFor(() => expect(idsOf("ses_child")).toEqual(["p1", "p2"]))
})

it.each<[string, string, Told]>([
  ["it is answered", "permission.replied", { requestID: "p1" }],
  ["its turn is over", "session.idle", { sessionID: "ses_child" }],
  ["its session is deleted", "session.deleted", { sessionID: "ses_child" }],
])("A request is open until %s", async (_, type, properties) => {
  const { requests, idsOf, happens } = opencode()
  happens("permission.asked", permission("p1", "ses_child"))
  expect(requests.get("p1")).toMatchObject({ kind: "permission", session: "ses_child" })
  happens(type, properties)
  expect(idsOf("ses_child")).toEqual([])
  expect(requests.isEmpty()).toBe(true)
})

it("What is no request as it was seen is left out", () => {
  const { requests, happens } = opencode()
  happens("permission.asked", { id: "p1" })
  happens("question.asked", { id: "q1", sessionID: "ses_child" })
  expect(requests.isEmpty()).toBe(true)
})
