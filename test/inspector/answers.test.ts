import { afterEach, beforeEach, expect, it } from "vitest"
import { type Inspector, startInspector } from "../../src/inspector/index.ts"
import type { PermissionRequest } from "../../src/shown/requests.ts"
import { ask } from "./support/ask.ts"
import { pageStub } from "./support/page-stub.ts"
import { type ScriptedTroupe, scriptedTroupe, sessionOf } from "./support/scripted-troupe.ts"

/** Two jobs ask, and somebody answers through the inspector. */

const token = "a-token-of-thirty-two-characters-or-more"
const bearer = { authorization: `Bearer ${token}` }

let scripted: ScriptedTroupe
let inspector: Inspector

beforeEach(async () => {
  scripted = scriptedTroupe()
  for (const id of ["j1", "j2"]) {
    scripted.start(id)
    await scripted.until(id, "prompting.working")
  }
  inspector = await startInspector({
    source: scripted.source,
    options: { token },
    page: pageStub,
    registerFolder: false,
  })
})
afterEach(async () => {
  await inspector.stop()
  scripted.stop()
})

const permission = (id: string, job: string, more: Partial<PermissionRequest> = {}): PermissionRequest => ({
  id,
  session: sessionOf(job),
  kind: "permission",
  action: "bash",
  parts: [{ title: "", text: "ls" }],
  always: [],
  ...more,
})

async function answer(job: string, body: string) {
  const headers = { ...bearer, "x-troupe": "1", "content-type": "application/json" }
  const path = `/api/jobs/${sessionOf(job)}/answer`
  const { status, text } = await ask(inspector.url, path, { method: "POST", headers, body })
  return [status, JSON.parse(text).error?.kind]
}

it("answers through a job what that job asks, and nothing that another one asks", async () => {
  await scripted.ask("j1", permission("a1", "j1"))
  await scripted.ask("j2", permission("a2", "j2"))
  expect(await answer("j1", '{"ask":"a2","reply":"always"}')).toEqual([409, "answered"])
  expect(scripted.answers).toEqual([])
  expect(await answer("j1", '{"ask":"a1","reply":"once"}')).toEqual([202, undefined])
  expect(await answer("j1", '{"ask":"a1","reply":"once"}')).toEqual([409, "answered"])
  expect(scripted.answers).toMatchObject([
    { request: { id: "a1" }, answer: { kind: "decision", decision: "once" } },
  ])
})

it("says how much of what it would allow is not shown", async () => {
  const always = [..."x".repeat(205)].map((_, index) => `command-${index} *`)
  await scripted.ask("j1", permission("a1", "j1", { always: ["y".repeat(100_001), ...always] }))
  const { text } = await ask(inspector.url, `/api/jobs/${sessionOf("j1")}`, { headers: bearer })
  const shown: string[] = JSON.parse(text).requests[0].always
  expect(shown[0]).toMatch(/y… \(it goes on\)$/)
  expect(shown.at(-1)).toBe("… and 6 more that are not shown")
})

it.each([
  '{"ask":"a1","reply":"once","message":"x"}',
  '{"ask":"a1","reply":"ever"}',
  '{"ask":"a1","answers":[]}',
  '{"ask":"a1","dismiss":true}',
  '{"ask":"a1","reply":"once","dismiss":true}',
  '{"ask":"","reply":"once"}',
  '{"ask":["a1"],"reply":"once"}',
  '{"__proto__":{"ask":"a1","reply":"once"}}',
])("takes no answer to a permission request that is none: %s", async (body) => {
  await scripted.ask("j1", permission("a1", "j1"))
  expect(await answer("j1", body)).toEqual([400, "body"])
  expect(scripted.answers).toEqual([])
})

it.each([
  '{"ask":"q1","reply":"once"}',
  '{"ask":"q1","answers":[["yes"],["no"]]}',
  '{"ask":"q1","answers":[["yes","no"]]}',
  '{"ask":"q1","answers":[["perhaps"]]}',
  '{"ask":"q1","answers":{"constructor":["yes"]}}',
  '{"ask":"q1","answers":"yes"}',
])("takes no answer to a question that is none: %s", async (body) => {
  const choices = ["yes", "no"].map((value) => ({ value, label: value }))
  const sure = { key: "sure", title: "", text: "Sure?", choices, isMultiple: false, takesText: false }
  await scripted.ask("j1", { id: "q1", session: sessionOf("j1"), kind: "question", questions: [sure] })
  expect(await answer("j1", body)).toEqual([400, "body"])
  expect(scripted.answers).toEqual([])
})
