import { describe, expect, it, onTestFinished } from "vitest"
import { startInspector } from "../../src/inspector/index.ts"
import { NO_USAGE } from "../../src/machines/record.ts"
import { poll } from "../support/waiters.ts"
import { ask } from "./support/ask.ts"
import { pageStub } from "./support/page-stub.ts"
import { jobInput, OWNER, type ScriptedTroupe, scriptedTroupe, sessionOf } from "./support/scripted-troupe.ts"

const token = "a-token-of-thirty-two-characters-or-more"
const spent = (input: number) => ({ ...NO_USAGE, input })

const counters = [
  'troupe_jobs_ended_total{outcome="done"}',
  "troupe_job_run_seconds_count",
  "troupe_job_queue_seconds_count",
  'troupe_tokens_total{kind="input"}',
]

/** An inspector of one project, and what Prometheus reads of it. */
async function scraped() {
  const scripted = scriptedTroupe()
  const inspector = await startInspector({
    source: scripted.source,
    options: { token },
    page: pageStub,
    registerFolder: false,
  })
  onTestFinished(async () => {
    await inspector.stop()
    scripted.stop()
  })
  const valuesOf = async (names: readonly string[]) => {
    const headers = { authorization: `Bearer ${token}` }
    const { text } = await ask(inspector.url, "/metrics", { headers })
    const samples = new Map(
      text.split("\n").map((line) => [line.replace(/ \S+$/, ""), line.split(" ").at(-1)]),
    )
    return names.map((name) => Number(samples.get(name)))
  }
  const counts = () => valuesOf(counters)
  return { scripted, inspector, counts, valuesOf }
}

/** One more run of a job in the same session, up to its answer. */
async function followUp({ troupe, start, answer }: ScriptedTroupe, id: string, usage: number, now: number) {
  start(id, { run: 2, session: sessionOf(id), earlier: { text: "", usage: spent(usage) } })
  const record = () => troupe.records.get(OWNER, id)
  await poll("the prompt of run 2", () => record()?.phase === "working" || undefined)
  await answer(id, { usage: spent(now) })
  await poll("the end of run 2", () => record()?.state === "done" || undefined)
}

describe("What Prometheus reads", () => {
  it("never counts back: not for a job that runs again, nor for one that is forgotten", async () => {
    const { scripted, counts } = await scraped()
    expect(await counts()).toEqual([0, 0, 0, 0])
    scripted.start("again")
    await scripted.answer("again", { usage: spent(30) })
    expect(await counts()).toEqual([1, 1, 1, 30])
    await followUp(scripted, "again", 30, 50)
    // When a follow-up was asked for is not on record: it has no time in the queue.
    expect(await counts()).toEqual([2, 2, 1, 50])
    scripted.troupe.forgetOwner(OWNER)
    expect(await counts()).toEqual([2, 2, 1, 50])
  })

  it("begins with what is there at the first look", async () => {
    const { scripted, counts } = await scraped()
    scripted.start("early")
    await scripted.answer("early", { usage: spent(7) })
    expect(await counts()).toEqual([1, 1, 1, 7])
    expect(await counts()).toEqual([1, 1, 1, 7])
  })

  it("holds the jobs of projects that come later, and keeps those of projects that have gone", async () => {
    const { scripted, inspector, counts } = await scraped()
    await counts()
    const further = scriptedTroupe({ name: "/projects/further" })
    onTestFinished(() => further.stop())
    further.start("before")
    await further.answer("before", { usage: spent(1) })
    const leave = inspector.add(further.source)
    further.start("meanwhile")
    await further.answer("meanwhile", { usage: spent(2) })
    expect(await counts()).toEqual([2, 2, 2, 3])
    leave()
    further.start("unseen")
    await further.answer("unseen", { usage: spent(100) })
    scripted.start("here")
    await scripted.answer("here", { usage: spent(4) })
    expect(await counts()).toEqual([3, 3, 3, 7])
  })

  it("tells jobs that wait for others from those in line, and why some are not done", async () => {
    const { scripted, valuesOf } = await scraped()
    const names = [
      'troupe_jobs_live{phase="blocked"}',
      'troupe_jobs_live{phase="working"}',
      'troupe_job_errors_total{kind="dependency"}',
      'troupe_job_errors_total{kind="provider"}',
    ]
    await valuesOf(names)
    scripted.start("auth")
    scripted.start("api", { needs: [{ id: "auth", on: "done" }] })
    await scripted.until("api", "created.blocked")
    await scripted.until("auth", "prompting.working")
    expect(await valuesOf(names)).toEqual([1, 1, 0, 0])
    await scripted.answer("auth", { error: { kind: "provider", message: "401" } })
    await scripted.until("api", "failed")
    expect(await valuesOf(names)).toEqual([0, 0, 1, 1])
    // It was blocked for a minute, and in line for half a second.
    const startedAt = Date.now()
    const times = { createdAt: startedAt - 60_000, startedAt, endedAt: startedAt }
    const adopted = { session: "ses_x", state: "done", usage: NO_USAGE, ...times } as const
    const need = { ...times, endedAt: startedAt - 400 }
    scripted.troupe.adopt({ ...jobInput("need"), ...adopted, ...need })
    scripted.troupe.adopt({ ...jobInput("late"), ...adopted, needs: [{ id: "need", on: "done" }] })
    expect(await valuesOf(['troupe_job_queue_seconds_bucket{le="0.5"}'])).toEqual([2])
  })

  it("is listened for by nobody until somebody asks, and no longer once the inspector is gone", async () => {
    const { scripted, inspector, counts } = await scraped()
    let listening = 0
    const { subscribe } = scripted.source.records
    scripted.source.records.subscribe = (listener) => {
      listening++
      const end = subscribe.call(scripted.troupe.records, listener)
      return () => {
        listening--
        end()
      }
    }
    expect(listening).toBe(0)
    await counts()
    await counts()
    expect(listening).toBe(1)
    await inspector.stop()
    expect(listening).toBe(0)
  })
})
