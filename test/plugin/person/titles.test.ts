import { expect, it } from "vitest"
import type { Host } from "../../../src/plugin/host/port.ts"
import { createTitles } from "../../../src/plugin/person/titles.ts"
import { failed, okSession } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { until } from "../support/until.ts"

function titlesOf(session?: Host["session"]) {
  const named = new Map([["owner", "Thread"]])
  const asked: string[] = []
  const titles = createTitles({
    session: async (id) => {
      asked.push(id)
      return session ? session(id) : okSession(sessionOf(id, { title: named.get(id) ?? "" }))
    },
  })
  return { titles, named, asked }
}

it("An owner's title is read once, when somebody asks for it", async () => {
  const { titles, asked } = titlesOf()
  const heard: string[] = []
  titles.subscribe((owner) => heard.push(owner))
  titles.hear({ type: "session.idle", session: "owner" })
  expect(asked).toEqual([])
  expect(titles.of("owner")).toBeUndefined()
  await until(() => heard.length > 0)
  expect([titles.of("owner"), heard, asked]).toEqual(["Thread", ["owner"], ["owner"]])
})

it("It is read again after a turn of the owner's, while somebody listens", async () => {
  const { titles, named, asked } = titlesOf()
  const heard: string[] = []
  const end = titles.subscribe((owner) => heard.push(owner))
  titles.of("owner")
  await until(() => heard.length > 0)
  named.set("owner", "Mend the tests")
  titles.hear({ type: "session.idle", session: "owner" })
  await until(() => titles.of("owner") === "Mend the tests")
  expect(heard).toEqual(["owner", "owner"])
  end()
  titles.hear({ type: "session.idle", session: "owner" })
  expect(asked).toHaveLength(2)
})

it("What was renamed while nobody listened is seen by who listens next", async () => {
  const { titles, named } = titlesOf()
  const heard: string[] = []
  titles.subscribe(() => {})()
  titles.of("owner")
  await until(() => titles.of("owner") === "Thread")
  named.set("owner", "Mend the tests")
  titles.subscribe((owner) => heard.push(owner))
  expect(titles.of("owner")).toBe("Thread")
  await until(() => heard.length > 0)
  expect(titles.of("owner")).toBe("Mend the tests")
})

it("One that cannot be read is not known", async () => {
  const { titles, asked } = titlesOf(async () => failed("away"))
  titles.of("owner")
  await until(() => asked.length > 0)
  expect(titles.of("owner")).toBeUndefined()
})
