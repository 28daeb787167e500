import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Inspector, startInspector } from "../../src/inspector/index.ts"
import type { ShownMessage } from "../../src/shown/conversation.ts"
import { ask } from "./support/ask.ts"
import { pageStub } from "./support/page-stub.ts"
import { OWNER, type ScriptedTroupe, scriptedTroupe, sessionOf } from "./support/scripted-troupe.ts"

const token = "a-token-of-thirty-two-characters-or-more"
const bearer = { authorization: `Bearer ${token}` }

let scripted: ScriptedTroupe
let inspector: Inspector

beforeAll(async () => {
  scripted = scriptedTroupe({ concurrency: 50 })
  inspector = await startInspector({
    source: scripted.source,
    options: { token },
    page: pageStub,
    registerFolder: false,
  })
})
afterAll(async () => {
  await inspector.stop()
  scripted.stop()
})

async function get(path: string) {
  const { status, text } = await ask(inspector.url, path, { headers: bearer })
  return { status, body: JSON.parse(text) }
}

async function post(path: string, body: object) {
  const headers = { ...bearer, "x-troupe": "1", "content-type": "application/json" }
  const { status, text } = await ask(inspector.url, path, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  })
  const answer = JSON.parse(text)
  return { status, answer, error: answer.error && [status, answer.error.kind, answer.error.message] }
}

async function working(id: string, job = {}): Promise<string> {
  scripted.start(id, job)
  await scripted.until(id, "prompting.working")
  return `/api/jobs/${sessionOf(id)}`
}

describe("GET /api/jobs/:session/messages", () => {
  const said = (id: string, ...texts: string[]): ShownMessage => ({
    id,
    role: "assistant",
    parts: texts.map((text, index) => ({ type: "text", id: `${id}/${index}`, text })),
  })
  const converse = (id: string, ...messages: ShownMessage[]) =>
    scripted.conversations.set(id, { kind: "messages", messages })
  const ids = ({ body }: { body: { messages: { id: string }[] } }) => body.messages.map((each) => each.id)

  it("has what was asked, thought, called and answered, oldest first", async () => {
    const path = await working("says")
    converse(
      "says",
      { id: "m1", role: "user", at: 1, parts: [{ type: "text", id: "p1", text: "do it" }] },
      {
        id: "m2",
        role: "assistant",
        at: 2,
        model: "fake/m1",
        error: "it broke off",
        parts: [
          { type: "reasoning", id: "p2", text: "Let me see." },
          {
            type: "tool",
            tool: "read",
            title: "a.txt",
            status: "completed",
            input: [{ name: "path", text: "a.txt" }],
            output: "text of a",
            startedAt: 3,
            endedAt: 4,
          },
        ],
      },
    )
    expect(await get(`${path}/messages`)).toEqual({
      status: 200,
      body: {
        messages: [
          { id: "m1", role: "user", at: 1, parts: [{ type: "text", text: "do it" }] },
          {
            id: "m2",
            role: "assistant",
            at: 2,
            model: "fake/m1",
            error: "it broke off",
            parts: [
              { type: "reasoning", text: "Let me see." },
              {
                type: "tool",
                tool: "read",
                title: "a.txt",
                status: "completed",
                input: [{ name: "path", text: "a.txt" }],
                output: "text of a",
                startedAt: 3,
                endedAt: 4,
              },
            ],
          },
        ],
      },
    })
  })

  it("goes on with the last message that is known, which may have grown, and starts anew where that is gone", async () => {
    const path = await working("goes-on")
    converse("goes-on", said("m1", "one"), said("m2", "two, grown"), said("m3", "three"))
    const on = await get(`${path}/messages?after=m2`)
    expect([ids(on), on.body.messages[0].parts[0].text]).toEqual([["m2", "m3"], "two, grown"])
    const anew = await get(`${path}/messages?after=undone`)
    expect([ids(anew), anew.body.isAnew]).toEqual([["m1", "m2", "m3"], true])
  })

  it("is bounded in messages and characters; whoever follows its cursor gets all of them, cut texts are said", async () => {
    const path = await working("is-long")
    const long = "x".repeat(40_000)
    const many = Array.from({ length: 250 }, (_, index) =>
      said(`m${index}`, ...(index % 10 ? ["short"] : Array(9).fill(long))),
    )
    converse("is-long", ...many)
    const seen: string[] = []
    let after = ""
    let most = 0
    for (let rounds = 0; rounds < 50; rounds++) {
      const { text } = await ask(inspector.url, `${path}/messages${after}`, { headers: bearer })
      const body = JSON.parse(text)
      most = Math.max(most, text.length)
      for (const { id, parts } of body.messages) {
        if (seen.at(-1) !== id) seen.push(id)
        expect(
          parts.every((part: { cut?: true }) => part.cut === (id.endsWith("0") ? true : undefined)),
        ).toBe(true)
      }
      if (body.cursor === undefined) break
      after = `?after=${body.cursor}`
    }
    expect(seen).toEqual(many.map(({ id }) => id))
    expect(most).toBeLessThan(1024 * 1024)
  })

  it("is empty for a job without a child", async () => {
    scripted.troupe.adopt({
      ...(scripted.troupe.records.get(OWNER, "says") ?? expect.fail()),
      id: "no-child",
      session: "",
      state: "failed",
      phase: undefined,
    })
    const { body } = await get(`/api/jobs/${encodeURIComponent(`${OWNER}/no-child`)}/messages`)
    expect(body).toEqual({ messages: [] })
  })

  it("says why there is none", async () => {
    const path = await working("is-away")
    scripted.conversations.set("is-away", { kind: "lost", why: "its session was deleted" })
    scripted.files.set("is-away", { kind: "unreadable", why: "opencode is busy" })
    const messages = await get(`${path}/messages`)
    expect([messages.status, messages.body.error]).toEqual([
      404,
      { kind: "lost", message: "Its conversation is lost: its session was deleted." },
    ])
    const files = await get(`${path}/files`)
    expect([files.status, files.body.error]).toEqual([
      503,
      { kind: "unreadable", message: "What it has changed could not be read: opencode is busy." },
    ])
  })
})

it("GET /api/jobs/:session/files has what is known, with long diffs cut", async () => {
  const path = await working("changes")
  scripted.files.set("changes", {
    kind: "files",
    files: [
      { path: "a.ts", additions: 1, deletions: 2, diff: "+a" },
      { path: "b.ts", diff: "x".repeat(100_000) },
      { path: "c.ts", isMeanwhile: true },
    ],
    why: "These may not be all.",
  })
  expect((await get(`${path}/files`)).body).toEqual({
    files: [
      { path: "a.ts", additions: 1, deletions: 2, diff: "+a" },
      { path: "b.ts", diff: "x".repeat(64_000), cut: true },
      { path: "c.ts", isMeanwhile: true },
    ],
    why: "These may not be all.",
  })
})

describe("What a job asks", () => {
  const question = (key: string, isMultiple: boolean, takesText: boolean) => ({
    key,
    title: key,
    text: `Which ${key}?`,
    choices: [
      { value: "red", label: "Red" },
      { value: "blue", label: "Blue" },
    ],
    isMultiple,
    takesText,
  })
  const questions = [question("colour", true, false), question("name", false, true)]
  const asks = async (id: string, kind: "permission" | "question") => {
    const path = await working(id)
    const asked = { id: `ask-${id}`, session: sessionOf(id) }
    await scripted.ask(
      id,
      kind === "permission"
        ? { ...asked, kind, action: "bash", parts: [{ title: "", text: "rm -rf dist" }], always: ["rm *"] }
        : { ...asked, kind, questions },
    )
    return { path, ask: asked.id }
  }
  const answerTo = (ask: string) => scripted.answers.find(({ request }) => request.id === ask)?.answer

  it("stands beside it in full, until it is answered", async () => {
    const { path, ask } = await asks("stands", "permission")
    expect((await get(path)).body.requests).toEqual([
      {
        id: ask,
        session: sessionOf("stands"),
        kind: "permission",
        action: "bash",
        parts: [{ title: "", text: "rm -rf dist" }],
        always: ["rm *"],
      },
    ])
    expect((await post(`${path}/answer`, { ask, reply: "once" })).status).toBe(202)
    expect((await get(path)).body.requests).toEqual([])
  })

  it.each([
    { reply: "once" },
    { reply: "always" },
    { reply: "reject" },
    { reply: "reject", message: "Ask me first." },
  ])("is allowed or refused: %j", async ({ reply, ...more }) => {
    const { path, ask } = await asks(`is-${reply}${"message" in more ? "-told" : ""}`, "permission")
    expect((await post(`${path}/answer`, { ask, reply, ...more })).status).toBe(202)
    expect(answerTo(ask)).toEqual({ kind: "decision", decision: reply, ...more })
  })

  it.each([
    ["order", [["red", "blue"], ["Anna"]], { colour: ["red", "blue"], name: ["Anna"] }],
    ["keys", { name: ["red"] }, { name: ["red"] }],
  ])("is answered question for question, by %s", async (how, answers, expected) => {
    const { path, ask } = await asks(`by-${how}`, "question")
    expect((await post(`${path}/answer`, { ask, answers })).status).toBe(202)
    expect(answerTo(ask)).toEqual({ kind: "answers", answers: expected })
  })

  it("is dismissed", async () => {
    const { path, ask } = await asks("dismissed", "question")
    expect((await post(`${path}/answer`, { ask, dismiss: true })).status).toBe(202)
    expect(answerTo(ask)).toEqual({ kind: "dismissal" })
  })

  it("is answered once: who comes later is told so", async () => {
    const { path, ask } = await asks("once", "permission")
    await post(`${path}/answer`, { ask, reply: "once" })
    const late = await post(`${path}/answer`, { ask, reply: "once" })
    expect(late.error).toEqual([
      409,
      "answered",
      "This is no longer asked: somebody has answered it, or its turn is over.",
    ])
  })

  it("says what would be an answer", async () => {
    const { path, ask } = await asks("wrong", "question")
    const refused = async (body: object) => (await post(`${path}/answer`, { ask, ...body })).error
    expect(await refused({ reply: "once" })).toEqual([
      400,
      "body",
      "A question is answered by `answers`, or by `dismiss`.",
    ])
    expect(await refused({ answers: [["green"]] })).toEqual([
      400,
      "body",
      'Question colour takes one of "red", "blue".',
    ])
    expect(await refused({ answers: { name: ["a", "b"] } })).toEqual([
      400,
      "body",
      "Question name takes one answer.",
    ])
    expect(await refused({ answers: { age: ["1"] } })).toEqual([400, "body", 'There is no question "age".'])
    expect(await refused({ reply: "perhaps" })).toEqual([
      400,
      "body",
      `the value is {"ask":"${ask}","reply":"perhaps"}: it must be \`ask\` with either \`reply\` (once, always or reject), \`answers\` or \`dismiss\`: true`,
    ])
    expect(answerTo(ask)).toBeUndefined()
  })

  it("cannot be answered where it says why", async () => {
    const path = await working("cannot")
    const asked = { id: "ask-cannot", session: sessionOf("cannot"), kind: "question", questions } as const
    await scripted.ask("cannot", { ...asked, unanswerable: "Answer it in the terminal." })
    expect((await get(path)).body.requests[0].unanswerable).toBe("Answer it in the terminal.")
    expect((await post(`${path}/answer`, { ask: "ask-cannot", dismiss: true })).error).toEqual([
      409,
      "unanswerable",
      "Answer it in the terminal.",
    ])
  })
})

it("POST /api/cancel cancels what runs of an owner, or of one batch", async () => {
  const owner = "ses_other_owner"
  for (const [id, batch] of [
    ["b1", "one"],
    ["b2", "one"],
    ["b3", "two"],
  ] as const)
    await working(id, { owner, batch })
  const cancel = async (body: object) => (await post("/api/cancel", { owner, ...body })).answer
  expect(await cancel({ batch: "one", reason: "seen enough" })).toEqual({ cancelled: 2 })
  await scripted.until("b2", "cancelled")
  expect(scripted.troupe.records.get(owner, "b2")?.error?.message).toBe("seen enough")
  expect(await cancel({})).toEqual({ cancelled: 1 })
  expect(
    (await get(`/api/jobs?owner=${owner}`)).body.jobs.map(({ batch }: { batch: string }) => batch),
  ).toEqual(["two", "one", "one"])
})

it("a project that is read-only takes neither answers nor cancels", async () => {
  const other = scriptedTroupe()
  other.start("read", { owner: "ses_read_only" })
  await other.until("read", "prompting.working")
  const remove = inspector.add({ ...other.source, readOnly: true })
  const refusal = "For this project the inspector is read-only (option inspector.readOnly)."
  const answered = await post(`/api/jobs/${sessionOf("read")}/answer`, { ask: "a", reply: "once" })
  const cancelled = await post("/api/cancel", { owner: "ses_read_only" })
  expect([answered.error, cancelled.error]).toEqual([
    [405, "read-only", refusal],
    [405, "read-only", refusal],
  ])
  remove()
  other.stop()
})
