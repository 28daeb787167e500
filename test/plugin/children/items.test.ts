import { describe, expect, it, onTestFinished, vi } from "vitest"
import { createItems, itemsIn, leftOut } from "../../../src/plugin/children/items.ts"
import { jobInput } from "../../machines/support/jobs.ts"
import { settled } from "../../machines/support/play.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { failed, ok } from "../support/host-double.ts"
import { testServices } from "../support/services.ts"

quietXState()

const list = { type: "object", properties: { files: { type: "array", items: { type: "string" } } } }
const scan = { id: "scan", prompt: "scan", schema: list }
const files = { id: "files", prompt: "read {{item}}", each: { from: "scan", path: "files" } }
const names = (count: number) => Array.from({ length: count }, (_, index) => `f${index + 1}`)

const settle = async () => {
  for (let round = 0; round < 12; round++) await settled()
}

/** A task for each item that `scan` finds, on an opencode that can be told to fail. */
function services() {
  const opencode = { children: true, session: "answers" as "answers" | "fails" | "fails again" | "is silent" }
  const waiting: (() => void)[] = []
  let looks = 0
  const all = testServices({}, { concurrency: 1 }, (double) => ({
    ...double,
    children: (id) => (opencode.children ? double.children(id) : Promise.resolve(failed("no answer", 503))),
    async session(id) {
      const { agent, title = "" } = all.host.sessions.get(id) ?? {}
      if (agent !== "general" || !title.endsWith("files)") || opencode.session === "answers")
        return double.session(id)
      if (opencode.session === "fails again" && looks++ === 0) return double.session(id)
      if (opencode.session !== "is silent") return failed("it is broken", 500)
      await new Promise<void>((resolve) => waiting.push(resolve))
      return double.session(id)
    },
  }))
  const recordOf = (id: string) => all.troupe.records.get("owner", id)
  const answer = async (id: string, text: string) => {
    const { session } = recordOf(id) ?? {}
    all.host.prompts.findLast(({ prompt }) => prompt.session === session)?.answer(text)
    await settle()
  }
  return {
    ...all,
    opencode,
    recordOf,
    answer,
    start: (...more: object[]) => all.call("agents_start", { tasks: [scan, files, ...more] }),
    finds: (items: readonly string[]) => answer("scan", JSON.stringify({ files: items })),
    async answers() {
      opencode.session = "answers"
      for (const answer of waiting) answer()
      await settle()
    },
    itemIds: () => all.troupe.records.of("owner").flatMap(({ id }) => (id.startsWith("files.") ? [id] : [])),
  }
}

describe("A task for each item that another job has found", () => {
  it("starts none of its jobs where it was cancelled before it could", async () => {
    const { start, finds, opencode, troupe, answers, itemIds, recordOf } = services()
    await start()
    opencode.session = "is silent"
    await finds(["a", "b"])
    troupe.cancel([{ owner: "owner", id: "files" }], "cancelled in the terminal")
    await settle()
    await answers()
    expect(recordOf("files")?.state).toBe("cancelled")
    expect(itemIds()).toEqual([])
  })

  it.each([
    ["fails", "opencode did not answer (it is broken)"],
    ["fails again", "it is broken (HTTP 500)"],
  ] as const)(
    "fails where opencode does not say what its jobs may do, as it %s",
    async (session, message) => {
      const { start, finds, opencode, itemIds, recordOf } = services()
      await start()
      opencode.session = session
      await finds(["a"])
      expect(recordOf("files")).toMatchObject({ state: "failed", error: { kind: "create", message } })
      expect(itemIds()).toEqual([])
    },
  )

  it("starts them once it is known which of them an earlier opencode has left", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    onTestFinished(() => void vi.useRealTimers())
    const { start, finds, opencode, recovery, itemIds } = services()
    opencode.children = false
    await start()
    await recovery.owner("owner")
    expect(recovery.isInDoubt("owner")).toBe(true)
    await finds(["a", "b"])
    await vi.advanceTimersByTimeAsync(10_000)
    await settle()
    expect(itemIds()).toEqual([])
    opencode.children = true
    await vi.advanceTimersByTimeAsync(10_000)
    await settle()
    expect(itemIds()).toEqual(["files.1", "files.2"])
  })

  it("names the first of many that did not end as done", async () => {
    const { start, finds, troupe, recordOf } = services()
    await start()
    await finds(names(22))
    const cancel = (count: number) =>
      troupe.cancel(
        names(count).map((_, index) => ({ owner: "owner", id: `files.${index + 1}` })),
        "cancelled in the terminal",
      )
    cancel(22)
    await settle()
    expect(recordOf("files")?.error?.message).toMatch(
      /^0 of 22 items are done\. The others: files\.1: cancelled, .*, files\.20: cancelled and 2 more$/,
    )
  })

  it("says nothing of its call's room where there is just enough for all", async () => {
    const { start, finds, answer, call, recordOf, troupe } = services()
    // Those of another call take none of it.
    await call("agents_start", { tasks: [{ id: "other", prompt: "{{item}}", each: names(64) }] })
    await call("agents_cancel", { all: true })
    const others = ["a", "b", "c", "d", "e", "f", "g"].map((id) => {
      return { id, prompt: "{{item}}", each: names(id === "g" ? 62 : 64), needs: ["files"] }
    })
    await start(...others)
    await finds(names(65))
    expect(troupe.records.countOf("owner")).toBe(512 + 64)
    for (const index of names(64).keys()) await answer(`files.${index + 1}`, "read")
    const words = "64 of 64 items are done; left of 65: f65."
    expect(recordOf("files")).toMatchObject({ run: 1, text: words })
    // Its own have their room.
    await call("agents_send", { id: "files", message: "once more" })
    await settle()
    expect(recordOf("files")).toMatchObject({ run: 2, text: `${words}\n\n${words}` })
  })

  it("is done where its call has no room and there is nothing to do", async () => {
    const { start, finds, recordOf, troupe } = services()
    const others = ["a", "b", "c", "d", "e", "f", "g", "h"].map((id) => {
      return { id, prompt: "{{item}}", each: names(id === "h" ? 62 : 64), needs: ["files"] }
    })
    await start(...others)
    expect(troupe.records.countOf("owner")).toBe(512)
    await finds([])
    expect(recordOf("files")).toMatchObject({ state: "done", text: "Nothing to do: the list is empty." })
  })
})

describe("The items that a job has found", () => {
  it("are those at a path, or of the only list", () => {
    expect(itemsIn({ a: { b: ["x", 1, { c: 2 }] }, d: [] }, "a.b")).toEqual(["x", "1", '{"c":2}'])
    expect(itemsIn({ a: ["x"], b: "y" }, undefined)).toEqual(["x"])
    expect(itemsIn(["x"], undefined)).toEqual(["x"])
    expect(itemsIn({ a: ["x"], b: ["y"] }, undefined)).toBe("has no list in its structured result")
    expect(itemsIn({ a: ["x"] }, "b")).toBe('has no list at "b" in its structured result')
    expect(itemsIn({ a: "x" }, "a.length.b")).toBe('has no list at "a.length.b" in its structured result')
  })

  it("are named where they are too many, the first of them", () => {
    expect(leftOut(names(64))).toBe("")
    expect(leftOut(names(84))).toBe(`; left of 84: ${names(84).slice(64).join(", ")}`)
    expect(leftOut(names(90))).toBe(`; left of 90: ${names(84).slice(64).join(", ")} and 6 more`)
  })

  /** What becomes of those items where another opencode has these jobs. */
  async function runItems(elsewhere: string[], from = "scan") {
    const each = { from, path: "files", timeoutMs: 60_000, idleMs: 20_000 }
    const { host, troupe, start, finds, answer, call, now, itemIds } = services()
    await call("agents_start", { tasks: [{ id: "plain", prompt: "x" }] })
    await answer("plain", "[1]")
    await start()
    troupe.cancel([{ owner: "owner", id: "files" }], "in the way")
    await finds(["a", "b"])
    const recovery = {
      owner: async () => {},
      isInDoubt: () => false,
      elsewhere: () => elsewhere.map((id) => ({ id })),
    }
    const items = createItems({ host, troupe, recovery, hold: async () => ok(undefined), now })
    onTestFinished(() => items.stop())
    const stopped = new AbortController()
    const job = jobInput({ owner: "owner", id: "files", prompt: "read {{item}}", each })
    const running = items.run({ job, session: "owner" }, stopped.signal)
    await settle()
    const started = itemIds()
    stopped.abort()
    return { started, answer: await running }
  }

  it("have no second job where another opencode has one", async () => {
    expect((await runItems(["files.1", "files.12", "other.2"])).started).toEqual(["files.2"])
  })

  it("have none where the job has no structured result", async () => {
    const { answer } = await runItems([], "plain")
    expect(answer.error).toEqual({
      kind: "dependency",
      message: "plain has no structured result: give it a schema",
    })
  })
})
