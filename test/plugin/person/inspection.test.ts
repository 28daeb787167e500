import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { Inspector, Source, StartOptions } from "../../../src/inspector/index.ts"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import type { Host } from "../../../src/plugin/host/port.ts"
import { Options } from "../../../src/plugin/options.ts"
import { type InspectionOptions, inspectJobs } from "../../../src/plugin/person/inspection.ts"
import { createTitles } from "../../../src/plugin/person/titles.ts"
import { jobInput } from "../../inspector/support/scripted-troupe.ts"
import { failed, ok } from "../support/host-double.ts"
import { answerTo, askedBy } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"

/** The inspector itself is tested in test/inspector: here it only says who started it, and with what. */
const inspector = vi.hoisted(() => ({
  started: [] as StartOptions[],
  shown: [] as Source[],
  removed: [] as Source[],
  stopped: 0,
  /** The next starts fail so. */
  failures: [] as string[],
}))

vi.mock("../../../src/inspector/index.ts", () => ({
  async startInspector(start: StartOptions): Promise<Inspector> {
    const failure = inspector.failures.shift()
    if (failure !== undefined) throw new Error(failure)
    inspector.started.push(start)
    return {
      url: "http://127.0.0.1:1",
      command: 'node "/plugin/dist/cli.js" inspect',
      link: () => "http://127.0.0.1:1/#link=fresh",
      add: (source) => {
        inspector.shown.push(source)
        return () => void inspector.removed.push(source)
      },
      stop: async () => void inspector.stopped++,
    }
  },
}))

beforeEach(() => {
  Object.assign(inspector, { started: [], shown: [], removed: [], stopped: 0, failures: [] })
})

const ended: JobRecord = {
  id: "old",
  session: "ses_old",
  owner: "owner",
  description: "Look",
  agent: "general",
  state: "done",
  run: 1,
  createdAt: 1,
  usage: NO_USAGE,
}

function project(
  given: { enabled?: boolean } = {},
  opencode: Partial<Host> = {},
  diffs?: InspectionOptions["isolation"]["diffs"],
) {
  const services = testServices(opencode)
  const { host, troupe, turns } = services
  const inspection = inspectJobs({
    host,
    isolation: { diffs: diffs ?? (() => expect.fail("no job here has a worktree")) },
    toasts: {
      link: (url) => void host.toast({ message: `Watch the jobs: ${url}`, variant: "info" }),
    },
    troupe,
    budgets: () => [],
    actors: troupe.actors,
    turns,
    messenger: { send: async () => "" },
    options: Options.parse({ inspector: given }),
    directory: "/project",
    titles: createTitles(host),
    now: Date.now,
  })
  onTestFinished(() => inspection.stop())
  const startJob = () => services.call("agents_start", { tasks: [{ id: "own", prompt: "work" }] })
  const links = () => host.toasts.filter(({ message }) => message.startsWith("Watch the jobs: http"))
  return { ...services, inspection, startJob, links }
}

describe("The inspector", () => {
  it("starts with the first job, and shows the person a link once", async () => {
    const { host, startJob, links } = project()
    expect(inspector.started).toEqual([])
    await startJob()
    await until(() => links().length > 0)
    await startJob()
    expect(inspector.started).toHaveLength(1)
    expect(links()).toHaveLength(1)
    // Other users of the machine may read it.
    expect(host.logged.filter((line) => line.includes("link=fresh"))).toEqual([])
    expect(host.logged.join("\n")).toContain("for a link run: node")
  })

  it("is there for the jobs of an earlier process without a word, until this one has a job of its own", async () => {
    const { host, troupe, startJob, links } = project()
    troupe.adopt(ended)
    troupe.adopt({ ...ended, id: "older", session: "ses_older" })
    await until(() => inspector.shown.length > 0)
    expect([inspector.started.length, host.toasts, host.logged]).toEqual([1, [], []])
    await startJob()
    await until(() => links().length > 0)
    expect([inspector.started.length, inspector.shown.length]).toEqual([1, 1])
  })

  it("complains to the log alone while nobody has asked for a job, and tries once more when somebody does", async () => {
    inspector.failures.push("its port is taken")
    const { host, troupe, startJob, links } = project()
    troupe.adopt(ended)
    await until(() => host.logged.length > 0)
    expect(host.logged).toEqual(["warn: the inspector did not start: its port is taken"])
    expect([host.toasts, host.problems.all]).toEqual([[], []])
    await startJob()
    await until(() => links().length > 0)
    expect(inspector.started).toHaveLength(1)
  })

  it("is named among the problems where it cannot start for a job of this process", async () => {
    inspector.failures.push("its port is taken")
    const { host, startJob } = project()
    await startJob()
    await until(() => host.problems.all.length > 0)
    expect(host.problems.all).toEqual(["the inspector did not start: its port is taken"])
  })

  it("stops with the last project, also while it is still starting", async () => {
    const { troupe, inspection } = project()
    troupe.adopt(ended)
    await inspection.stop()
    expect([inspector.started.length, inspector.stopped]).toEqual([1, 1])
  })

  it("no longer shows a project that ends before others, but the jobs of the last one until it stops: open tabs keep showing them", async () => {
    const [first, last] = [project(), project()]
    for (const { troupe } of [first, last]) troupe.adopt(ended)
    await until(() => inspector.shown.length === 2)
    const [shownFirst] = inspector.shown
    await first.inspection.stop()
    expect([inspector.removed, inspector.stopped]).toEqual([[shownFirst], 0])
    await last.inspection.stop()
    expect([inspector.removed, inspector.stopped]).toEqual([[shownFirst], 1])
  })

  it("never starts where it is switched off", async () => {
    const { troupe, startJob, inspection } = project({ enabled: false })
    troupe.adopt(ended)
    await startJob()
    await inspection.stop()
    expect(inspector.started).toEqual([])
  })
})

describe("The text of an ended job", () => {
  const asked = { session: "ses_old", messageID: "msg_1", text: "Look.", agent: "general" }
  const interrupted = { ...ended, state: "failed", error: { kind: "interrupted", message: "" } } as const

  async function adopted(opencode: Partial<Host> = {}) {
    const { host, troupe } = project({}, opencode)
    troupe.adopt(ended)
    await until(() => inspector.shown.length > 0)
    const readText = async (record: JobRecord) => await inspector.shown[0]?.readText?.(record)
    return { host, readText }
  }

  it("is what its child wrote", async () => {
    const { host, readText } = await adopted()
    host.said.set("ses_old", [askedBy(asked), answerTo(asked, "the answer")])
    expect(await readText(ended)).toEqual({ kind: "text", text: "the answer" })
    expect(await readText(interrupted)).toEqual({ kind: "text", text: "the answer" })
  })

  it("is nothing where its child wrote nothing, and lost where opencode stopped while it was writing", async () => {
    const { host, readText } = await adopted()
    host.said.set("ses_old", [askedBy(asked)])
    expect(await readText(ended)).toEqual({ kind: "nothing" })
    host.said.set("ses_old", [askedBy(asked), answerTo(asked, "", { finish: "" })])
    expect(await readText(interrupted)).toMatchObject({ kind: "lost" })
  })

  it.each([
    ["lost", "its session was deleted", 404],
    ["unreadable", "opencode is busy", 503],
  ])("is %s where %s", async (kind, why, status) => {
    const { readText } = await adopted({ messages: async () => failed("opencode is busy", status) })
    expect(await readText(ended)).toEqual({ kind, why })
  })
})

describe("The work of a job", () => {
  const message = (text: string) => ({
    id: "msg_2",
    role: "assistant" as const,
    parts: [{ type: "text" as const, id: "prt_1", text }],
  })
  const running = { ...ended, id: "own", session: "ses_own", state: "prompting" } as const

  async function shown(opencode: Partial<Host>, diffs?: InspectionOptions["isolation"]["diffs"]) {
    const { troupe, turns } = project({}, opencode, diffs)
    troupe.adopt(ended)
    await until(() => inspector.shown.length > 0)
    const source = inspector.shown[0] ?? expect.fail()
    return { source, turns }
  }

  it("has what a child is writing, of which opencode has only the place", async () => {
    const { source, turns } = await shown({ conversation: async () => ok([message("")]) })
    const input = { session: "ses_own", job: { ...jobInput("own"), owner: "owner" } }
    const over = new AbortController()
    void turns.run(input, over.signal)
    turns.hear({ type: "text.updated", session: "ses_own", part: "prt_1", text: "" })
    turns.hear({ type: "text.streamed", session: "ses_own", part: "prt_1", delta: "half a sen" })
    expect(await source.conversation?.(running)).toEqual({
      kind: "messages",
      messages: [message("half a sen")],
    })
    over.abort()
  })

  it("is as opencode has it where that is further", async () => {
    const { source, turns } = await shown({ conversation: async () => ok([message("a whole sentence.")]) })
    const over = new AbortController()
    void turns.run({ session: "ses_own", job: { ...jobInput("own"), owner: "owner" } }, over.signal)
    turns.hear({ type: "text.updated", session: "ses_own", part: "prt_1", text: "" })
    turns.hear({ type: "text.streamed", session: "ses_own", part: "prt_1", delta: "a whole" })
    expect(await source.conversation?.(running)).toEqual({
      kind: "messages",
      messages: [message("a whole sentence.")],
    })
    over.abort()
  })

  it.each([
    ["lost", "its session was deleted", 404],
    ["unreadable", "opencode is busy", 503],
  ])("is %s where %s", async (kind, why, status) => {
    const away = async () => failed("opencode is busy", status)
    const { source } = await shown({ conversation: away, files: away })
    expect(await source.conversation?.(running)).toEqual({ kind, why })
    expect(await source.files?.(running)).toEqual({ kind, why })
  })

  it("has the files that git says it has changed in its worktree; once that is removed, those that opencode knows", async () => {
    const worktree = { directory: "/data/worktrees/own", branch: "troupe/1f/own", base: "b" }
    const known = { path: "known to opencode" }
    const files = async () => ok({ files: [known] })
    const filesOf = async (diffs: InspectionOptions["isolation"]["diffs"]) =>
      (await shown({ files }, diffs)).source.files?.({ ...running, worktree })
    const changed = { path: "a.txt", insertions: 1, deletions: 2, diff: "@@" }
    expect(await filesOf(async () => [changed, { path: "large.txt" }])).toEqual({
      kind: "files",
      files: [
        { path: "a.txt", additions: 1, deletions: 2, diff: "@@" },
        { path: "large.txt", isCut: true },
      ],
    })
    Object.assign(inspector, { shown: [] })
    expect(await filesOf(async () => undefined)).toEqual({ kind: "files", files: [known] })
    Object.assign(inspector, { shown: [] })
    expect(await filesOf(() => Promise.reject(new Error("the disk is full; make room")))).toEqual({
      kind: "unreadable",
      why: "the disk is full; make room",
    })
  })

  it("has what it asks, the sessions below it included, but for what is no longer asked", async () => {
    const asked: string[] = []
    const request = { kind: "permission", action: "bash", parts: [], always: [] } as const
    const { source } = await shown({
      async request(session, { id }) {
        asked.push(`${session} ${id}`)
        return ok(id === "over" ? undefined : { ...request, id, session })
      },
      answer: async ({ id }) => (id === "own" ? ok(true) : failed("opencode is busy")),
    })
    const ask = { kind: "permission", text: "bash: ls" } as const
    const asks = [
      { ...ask, id: "own" },
      { ...ask, id: "below", session: "ses_below" },
      { ...ask, id: "over" },
    ]
    const requests = (await source.requests?.({ ...running, asks })) ?? []
    expect(asked).toEqual(["ses_own own", "ses_below below", "ses_own over"])
    expect(requests.map(({ id, session }) => [id, session])).toEqual([
      ["own", "ses_own"],
      ["below", "ses_below"],
    ])
    const [own = expect.fail(), below = expect.fail()] = requests
    const once = { kind: "decision", decision: "once" } as const
    expect(await source.answer?.(own, once)).toBe(true)
    await expect(source.answer?.(below, once)).rejects.toThrow("opencode is busy")
  })
})

describe("A link that a person asks for", () => {
  it("is a fresh one, for which the inspector starts where it does not run", async () => {
    const { inspection } = project()
    expect(await inspection.link()).toBe("http://127.0.0.1:1/#link=fresh")
    await inspection.link()
    expect([inspector.started.length, inspector.shown.length]).toEqual([1, 1])
  })

  it("is refused where the inspector is switched off, cannot start, or ends", async () => {
    await expect(project({ enabled: false }).inspection.link()).rejects.toThrow(/inspector\.enabled is false/)
    inspector.failures.push("the port is in use")
    const { inspection } = project()
    await expect(inspection.link()).rejects.toThrow(/did not start: the port is in use/)
    await expect(inspection.link()).resolves.toContain("fresh")
    await inspection.stop()
    await expect(inspection.link()).rejects.toThrow(/closing/)
  })
})
