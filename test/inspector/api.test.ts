import { mkdtemp, rm } from "node:fs/promises"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Ajv2020 } from "ajv/dist/2020.js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as z from "zod"
import { buildPage, writePage } from "../../scripts/build-page.ts"
import { Access } from "../../src/inspector/access/access.ts"
import { Feed } from "../../src/inspector/feed/feed.ts"
import { ActorAnswer } from "../../src/inspector/http/api.ts"
import { createApp } from "../../src/inspector/http/app.ts"
import { readPageFiles } from "../../src/inspector/http/page-files.ts"
import { type Inspector, startInspector } from "../../src/inspector/index.ts"
import { Totals } from "../../src/inspector/metrics/totals.ts"
import { type EndedText, type Source, Sources } from "../../src/inspector/source.ts"
import type { JobRecord } from "../../src/machines/record.ts"
import { ask } from "./support/ask.ts"
import { pageStub } from "./support/page-stub.ts"
import {
  OWNER,
  type ScriptedTroupe,
  scriptedTroupe,
  sessionOf,
  withProtocols,
} from "./support/scripted-troupe.ts"

const token = "a-token-of-thirty-two-characters-or-more"
const bearer = { authorization: `Bearer ${token}` }

let scripted: ScriptedTroupe
let source: Source
let inspector: Inspector

beforeAll(async () => {
  scripted = scriptedTroupe({ concurrency: 4 })
  const usage = { input: 100, output: 20, reasoning: 3, cacheRead: 5, cacheWrite: 6, cost: 0.25 }
  const start = (id: string, createdAt: number, agent = "general") =>
    scripted.start(id, { createdAt, agent, description: `work of ${id}` })
  start("ok", 1_000)
  await scripted.answer("ok", { text: "the whole answer", usage })
  start("bad", 2_000, "explore")
  await scripted.answer("bad", { text: "", error: { kind: "provider", message: "quota" } })
  start("stopped", 3_000)
  await scripted.until("stopped", "prompting.working")
  scripted.troupe.cancel([{ owner: OWNER, id: "stopped" }], "not needed")
  await scripted.until("stopped", "cancelled")
  for (const [index, id] of ["r1", "r2", "r3", "r4", "waits"].entries()) start(id, 4_000 + index)
  await scripted.until("r4", "prompting.working")
  await scripted.until("waits", "created.queued")
  source = withProtocols(scripted.source)
  inspector = await startInspector({
    source,
    options: { token },
    page: await buildPage(),
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

/** The type alone: a stream never ends. */
function typeOf(path: string, headers: Record<string, string>): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, inspector.url), { headers, agent: false }, (response) => {
      resolve(response.headers["content-type"]?.split(";")[0])
      response.destroy()
    })
    asked.on("error", reject).end()
  })
}

function post(path: string, body: object) {
  const headers = { ...bearer, "x-troupe": "1", "content-type": "application/json" }
  return ask(inspector.url, path, { method: "POST", headers, body: JSON.stringify(body) })
}

describe("GET /api/jobs", () => {
  const ids = async (query: string) =>
    (await get(`/api/jobs?${query}`)).body.jobs.map(({ id }: { id: string }) => id)

  it("lists the newest first, without texts, with counts", async () => {
    const { body } = await get("/api/jobs")
    expect(body.jobs.map(({ id }: { id: string }) => id)).toEqual([
      "waits",
      "r4",
      "r3",
      "r2",
      "r1",
      "stopped",
      "bad",
      "ok",
    ])
    expect(body.counts).toEqual({ created: 1, prompting: 4, done: 1, failed: 1, timedOut: 0, cancelled: 1 })
    expect(JSON.stringify(body)).not.toContain("the whole answer")
  })

  it.each([
    ["state=failed", ["bad"]],
    ["state=failed,done", ["bad", "ok"]],
    ["q=agent:explore", ["bad"]],
    ["q=state:failed+agent:explore+quota", ["bad"]],
    ["q=state:done,cancelled", ["stopped", "ok"]],
    ["q=%22work+of+ok%22", ["ok"]],
    ["q=phase:queued", ["waits"]],
    ["q=error:provider", ["bad"]],
    ["q=nothing:like+this", []],
    ["owner=ses_other", []],
  ])("finds %s", async (query, expected) => expect(await ids(query)).toEqual(expected))

  it("goes through all of them by cursor, whatever comes meanwhile", async () => {
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const { body } = await get(`/api/jobs?limit=3${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`)
      seen.push(...body.jobs.map(({ id }: { id: string }) => id))
      cursor = body.cursor
    } while (cursor)
    expect(seen).toEqual(["waits", "r4", "r3", "r2", "r1", "stopped", "bad", "ok"])
  })

  it.each([
    [
      "state=nope",
      'state is "nope": it must be one or more of created, prompting, done, failed, timedOut, cancelled, separated by commas',
    ],
    ["limit=x", 'limit is "x": it must be a whole number, at least 1 and at most 1000'],
    ["cursor=x", 'cursor is "x": it must be the `cursor` of an earlier answer'],
    [`q=${"x".repeat(501)}`, "q has 501 characters: it must have at most 500"],
    ["colour=red", "colour is unknown; valid names: state, owner, q, limit, cursor"],
  ])("says what would be right: %s", async (query, message) => {
    const { status, body } = await get(`/api/jobs?${query}`)
    expect([status, body.error.message]).toEqual([400, message])
  })
})

describe("one job", () => {
  it("comes with its text, its history, and what cannot be done", async () => {
    const { body } = await get(`/api/jobs/${sessionOf("ok")}`)
    expect(body).toMatchObject({
      id: "ok",
      text: "the whole answer",
      project: "/projects/demo",
      state: "done",
    })
    expect(body.history.at(-1)).toMatchObject({ to: "done", why: "the child gave its final answer" })
    expect(body.can).toEqual({ cancel: "ok has already ended" })
  })

  const left: [string, EndedText, object][] = [
    ["what was kept", { kind: "text", text: "kept" }, { text: "kept" }],
    [
      "that there is none",
      { kind: "nothing" },
      { noText: { kind: "nothing", message: "It wrote nothing." } },
    ],
    [
      "that it is lost",
      { kind: "lost", why: "its session was deleted" },
      { noText: { kind: "lost", message: "Its text is lost: its session was deleted." } },
    ],
    [
      "why it could not be read",
      { kind: "unreadable", why: "opencode is busy" },
      { noText: { kind: "unreadable", message: "Its text could not be read: opencode is busy." } },
    ],
  ]
  it.each(left)("whose text is no longer in memory says %s", async (_what, kept, answer) => {
    const earlier = scriptedTroupe()
    const { text: _text, ...record } = scripted.troupe.records.get(OWNER, "ok") ?? expect.fail()
    earlier.troupe.adopt({ ...record, session: "ses_earlier" })
    earlier.kept.set("ok", kept)
    const remove = inspector.add(earlier.source)
    const { body } = await get("/api/jobs/ses_earlier")
    expect({ text: body.text, noText: body.noText }).toEqual(answer)
    remove()
    earlier.stop()
  })

  it("is also found by owner and id", async () => {
    const { body } = await get(`/api/jobs/${encodeURIComponent(`${OWNER}/ok`)}`)
    expect(body.session).toBe(sessionOf("ok"))
  })

  it("is cancelled once, with the reason", async () => {
    const path = `/api/jobs/${sessionOf("r1")}/cancel`
    expect((await post(path, { reason: "seen enough" })).status).toBe(202)
    await scripted.until("r1", "cancelled")
    expect(scripted.troupe.records.get(OWNER, "r1")?.error?.message).toBe("seen enough")
    const again = await post(path, {})
    expect([again.status, JSON.parse(again.text).error.message]).toEqual([409, "r1 has already ended"])
  })

  it("is told something", async () => {
    expect((await post(`/api/jobs/${sessionOf("ok")}/send`, { message: "and now?" })).status).toBe(202)
    expect(scripted.sent).toEqual([{ id: "ok", message: "and now?" }])
  })

  it("is told nothing before it has begun, nor while it stands for others", async () => {
    const record = scripted.troupe.records.get(OWNER, "r2")
    const adopt = (id: string, more: Partial<JobRecord>) =>
      record && scripted.troupe.adopt({ ...record, id, session: `ses_${id}`, owner: "ses_x", ...more })
    adopt("early", { state: "created", phase: "blocked" })
    adopt("group", { isGroup: true })
    const sent = ["early", "group"].map((id) => post(`/api/jobs/ses_${id}/send`, { message: "and now?" }))
    const answers = await Promise.all(sent)
    scripted.troupe.forgetOwner("ses_x")
    expect(answers.map(({ status, text }) => [status, JSON.parse(text).error.message])).toEqual([
      [409, "early has not begun; it takes messages once it works"],
      [409, "group is a group; send it to one of its jobs"],
    ])
  })
})

it("GET /api/actors names what each owner and job has going, with its state", async () => {
  const lines: string[] = []
  const visit = ({ kind, id, state, children }: ActorAnswer, depth: number): void => {
    lines.push(`${"  ".repeat(depth)}${kind} ${id} ${state}`)
    for (const child of children) visit(child, depth + 1)
  }
  visit(ActorAnswer.parse((await get("/api/actors")).body), 0)
  expect(lines.slice(0, 5)).toEqual([
    "process opencode active",
    "  system /projects/demo active",
    `    supervisor ${OWNER} active`,
    "      job r2 prompting.working",
    "        turn r2 asking.waiting",
  ])
  expect(lines).toContain(`      delivery ${OWNER} backoff`)
  expect(lines).toContain("      writer r2 writing")
})

describe("GET /openapi.json", () => {
  let document: { paths: Record<string, object> }

  beforeAll(async () => {
    document = (await get("/openapi.json")).body
  })

  function problemsOf(path: string, body: unknown, answer = "get/responses/200") {
    const ajv = new Ajv2020({ strict: false }).addSchema(document, "document")
    const pointer = `/paths/${path.replaceAll("/", "~1")}/${answer}/content/application~1json/schema`
    ajv.validate({ $ref: `document#${encodeURI(pointer)}` }, body)
    return ajv.errors
  }

  it.each([
    ["/api/jobs", "/api/jobs"],
    ["/api/jobs/{session}", `/api/jobs/${sessionOf("ok")}`],
    ["/api/jobs/{session}", `/api/jobs/${sessionOf("bad")}`],
    ["/api/actors", "/api/actors"],
    ["/api/phases", "/api/phases"],
    ["/api/machines/{name}", "/api/machines/job"],
    ["/api/machines/{name}", "/api/machines/supervisor"],
    ["/api/machines/{name}", "/api/machines/system"],
  ])("describes what %s answers", async (path, asked) => {
    const { body } = await get(asked)
    expect(problemsOf(path, body)).toBeNull()
  })

  it("describes all that a job may have", async () => {
    const record = scripted.troupe.records.get(OWNER, "ok")
    const error = { kind: "provider", message: "rate limit" } as const
    const need = { id: "ok", on: "done" } as const
    const grown = {
      ...{ owner: "ses_x", session: "ses_grown", batch: "b1", budget: { tokens: 9 }, isGroup: true as const },
      ...{ needs: [need], attempts: [{ error }], structured: { list: [1, null] } },
    } satisfies Partial<JobRecord>
    if (record) scripted.troupe.adopt({ ...record, ...grown })
    source.budgets = () => [
      { of: "batch", name: "b1", limit: { tokens: 9 }, spent: { tokens: 10, cost: 0.5 }, isSpent: true },
    ]
    const { body } = await get("/api/jobs/ses_grown")
    scripted.troupe.forgetOwner("ses_x")
    expect(body).toMatchObject({ ...grown, budgets: [{ of: "batch", isSpent: true }] })
    expect(problemsOf("/api/jobs/{session}", body)).toBeNull()
    expect(problemsOf("/api/jobs/{session}", { ...body, needs: ["ok"] })).not.toBeNull()
  })

  it.each([
    ["/api/jobs/{session}/cancel", `/api/jobs/${sessionOf("r2")}/cancel`, { reason: "enough" }],
    ["/api/jobs/{session}/send", `/api/jobs/${sessionOf("ok")}/send`, { message: "go on" }],
  ])("describes what a POST to %s takes and answers", async (path, asked, body) => {
    const answered = await post(asked, body)
    expect(answered.status).toBe(202)
    expect(problemsOf(path, JSON.parse(answered.text), "post/responses/202")).toBeNull()
    expect(problemsOf(path, body, "post/requestBody")).toBeNull()
    expect(problemsOf(path, { nonsense: 1 }, "post/requestBody")).not.toBeNull()
  })

  it.each([
    ["/api/jobs", "/api/jobs?state=nope", 400],
    ["/api/jobs", "/api/jobs?limit=0", 400],
    ["/api/jobs/{session}", "/api/jobs/none", 404],
    ["/api/machines/{name}", "/api/machines/none", 404],
  ])("describes the refusals of %s", async (path, asked, expected) => {
    const { status, body } = await get(asked)
    expect(status).toBe(expected)
    expect(problemsOf(path, body, "get/responses/4XX")).toBeNull()
  })

  it("names the type of each answer, and of each refusal to who has no token", async () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      if (!("get" in operations)) continue
      const asked = path.replace("{session}", sessionOf("ok")).replace("{name}", "job")
      const described = z
        .object({ responses: z.record(z.string(), z.object({ content: z.record(z.string(), z.unknown()) })) })
        .parse(operations.get).responses
      for (const [status, headers] of [["200", bearer] as const, ["4XX", {}] as const]) {
        const type = await typeOf(asked, headers)
        expect([path, status, Object.keys(described[status]?.content ?? {})]).toEqual([
          path,
          status,
          expect.arrayContaining([type]),
        ])
      }
    }
  })

  it("knows every route that the app has, but for the files of the page", async () => {
    const sources = new Sources()
    const app = createApp({
      sources,
      feed: new Feed(sources, { now: Date.now, readOnly: false }),
      totals: new Totals(sources),
      page: pageStub,
      access: new Access(token, Date.now),
      host: "127.0.0.1:1",
      readOnly: false,
      link: () => "",
      command: "",
      reportError: () => {},
    })
    const served = app.routes
      .filter(({ method, path }) => method !== "ALL" && !/\.(js|css|svg)$/.test(path))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`)
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect([...new Set(served)].sort()).toEqual(described.sort())
  })

  it("describes no route that there is not", async () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      const asked = path.replace("{session}", sessionOf("ok")).replace("{name}", "job")
      for (const method of ["get", "post"]) {
        if (path === "/api/stream" || (path === "/api/link" && method === "post")) continue
        const { status } =
          method === "get" ? await ask(inspector.url, asked, { headers: bearer }) : await post(asked, {})
        expect([path, method, status !== 404 && status !== 405]).toEqual([path, method, method in operations])
      }
    }
  })
})

it("draws the real machine", async () => {
  const { body } = await get("/api/machines/job")
  const places = body.nodes.flatMap(({ place }: { place?: string }) => place ?? [])
  expect(places.sort()).toEqual(
    [
      "cancelled",
      "created.blocked",
      "created.opening",
      "created.queued",
      "created.stopping",
      "done",
      "failed",
      "prompting.checking",
      "prompting.opening",
      "prompting.permission",
      "prompting.question",
      "prompting.queued",
      "prompting.retrying",
      "prompting.stopping",
      "prompting.working",
      "timedOut",
    ].sort(),
  )
})

it("counts for Prometheus, without job ids", async () => {
  const { text, headers } = await ask(inspector.url, "/metrics", { headers: bearer })
  expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8")
  const { counts, jobs } = (await get("/api/jobs")).body
  const ran = jobs.filter((job: { startedAt?: number; endedAt?: number }) => job.startedAt && job.endedAt)
  for (const [state, count] of Object.entries(counts))
    expect(text).toContain(`troupe_jobs{state="${state}"} ${count}\n`)
  expect(text).toContain('troupe_jobs_ended_total{outcome="failed"} 1\n')
  expect(text).toContain(`troupe_job_run_seconds_count ${ran.length}\n`)
  expect(text).toContain('troupe_tokens_total{kind="input"} 100\n')
  expect(text).toContain("troupe_cost_dollars_total 0.25\n")
  expect(text).not.toMatch(/ses_|work of/)
  for (const line of text.trim().split("\n"))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [\d.e+-]+)$/)
})

it("ships as files that are read back as they were built", async () => {
  const folder = await mkdtemp(join(tmpdir(), "troupe-page-"))
  const url = pathToFileURL(`${folder}/`)
  await writePage(url)
  const { metafile: _, ...files } = await buildPage()
  expect(await readPageFiles(url)).toEqual(files)
  await rm(folder, { recursive: true })
})
