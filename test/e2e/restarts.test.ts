import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyOpencode, AnyProject, KeptJob } from "../support/any-opencode.ts"
import { kills } from "../support/depth.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { jobsOf } from "../support/jobs.ts"
import { newCallId } from "../support/replies.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

const jobCount = 8
/** Cancelled in the turn that starts them, before their turn in the queue has come. */
const cancelledIds = ["job-6", "job-7"]

const modes = ["fail", "resume"] as const
type Mode = (typeof modes)[number]

/** An owner that starts jobs and cancels two of them in the same turn. */
type Run = {
  recover: Mode
  owner: string
  tasks: { id: string; prompt: string }[]
  startCall: string
  cancelCall: string
}
/** One in a project of each mode. */
type Runs = Record<Mode, Run>
/** An end of opencode in the middle of runs. */
type End = { runs: Runs; requestsBefore: number }

describeBoth("Jobs whose opencode ends", ({ start, generation }) => {
  let model: ScriptedModel
  let opencode: AnyOpencode
  /** Each mode has a project of its own in the same opencode: a start takes longer than all that is done in it. */
  let projects: Record<Mode, AnyProject>
  let eventsOfRuns: number

  beforeAll(async () => {
    model = await startScriptedModel()
    model.on(/^job \d+ of /, ({ text }) => ({
      type: "text",
      text: `answer to ${text}`,
      delayMs: 20,
      chunks: 3,
    }))
    const pluginThat = (recover: Mode) => ({ options: { recover, concurrency: 3 } })
    opencode = await start({ model, plugin: pluginThat("resume") })
    projects = { fail: await opencode.open({ model, plugin: pluginThat("fail") }), resume: opencode }
    const before = opencode.events.seen.length
    await allSettled(await startRuns("warm-up"))
    eventsOfRuns = opencode.events.seen.length - before
  })
  afterAll(async () => {
    await opencode?.stop()
    await model.stop()
  })

  async function startRuns(name: string): Promise<Runs> {
    const [fail, resume] = await Promise.all([startRun("fail", name), startRun("resume", name)])
    return { fail, resume }
  }

  async function startRun(recover: Mode, suffix: string): Promise<Run> {
    const name = `${recover}-${suffix}`
    const owner = await projects[recover].session()
    const tasks = Array.from({ length: jobCount }, (_, index) => ({
      id: `job-${index}`,
      prompt: `job ${index} of ${name}.`,
    }))
    const [startCall, cancelCall] = [newCallId(), newCallId()]
    const words = `Begin ${name}!`
    model.script(words, [
      { type: "tool", calls: [{ name: "agents_start", args: { tasks }, id: startCall }] },
      { type: "tool", calls: [{ name: "agents_cancel", args: { ids: cancelledIds }, id: cancelCall }] },
    ])
    // It need not come to its end.
    projects[recover].say(owner, words).catch(() => {})
    return { recover, owner, tasks, startCall, cancelCall }
  }

  const allSettled = (runs: Runs) => Promise.all(modes.map((mode) => settled(runs[mode], jobCount)))

  /** The owner's jobs once each has ended and its result is delivered. */
  function settled({ recover, owner }: Run, count: number): Promise<KeptJob[]> {
    return poll(
      "the end of all jobs, and the delivery of their results",
      async () => {
        const jobs = await projects[recover].stored(owner)
        const isOver = jobs.every(
          ({ record, deliveredRun }) => record.endedAt !== undefined && deliveredRun === record.run,
        )
        return isOver && jobs.length === count ? jobs : undefined
      },
      { timeoutMs: 30_000, everyMs: 200 },
    )
  }

  /** How often the model's whole answer stands in a child's conversation. */
  async function answersIn(project: AnyProject, session: string): Promise<number> {
    const messages = await project.messages(session)
    return messages.filter((message) => message.role === "assistant" && message.end && !message.end.error)
      .length
  }

  /** Everything that an owner's model has been told. */
  async function toldTo(project: AnyProject, owner: string): Promise<string> {
    await project.say(owner, "What do you know?")
    const request = model.requests.findLast(({ session, text }) => session === owner && /you know/.test(text))
    return JSON.stringify(request?.messages)
  }

  const afterEvents = (count: number) =>
    new Promise<void>((resolve) => {
      let left = count
      const stop = opencode.events.listen(() => {
        left--
        if (left > 0) return
        stop()
        resolve()
      })
    })

  /** The jobs that must be there after a crash: those that the owner was told of, and those whose model was asked. */
  async function known({ recover, owner, tasks, startCall }: Run, requestsBefore: number): Promise<string[]> {
    const start = await projects[recover].outcomeOf(owner, startCall)
    const asked = new Set(model.requests.slice(0, requestsBefore).map(({ text }) => text))
    return tasks
      .filter(({ prompt }) => start?.status === "completed" || asked.has(prompt))
      .map(({ id }) => id)
  }

  /** What must hold once opencode is there again and the owner's session is used. */
  async function judge(run: Run, requestsBefore: number): Promise<void> {
    const { recover, owner, cancelCall } = run
    const project = projects[recover]
    const cancel = await project.outcomeOf(owner, cancelCall)
    const cancelled = cancel?.status === "completed" ? jobsOf(cancel) : []
    const before = await project.stored(owner)
    const start = await project.outcomeOf(owner, run.startCall)
    expect(
      before.map(({ record }) => record.id),
      `the start said ${JSON.stringify(start)}`,
    ).toEqual(expect.arrayContaining(await known(run, requestsBefore)))
    await project.callTool(owner, "agents_wait", {})
    const jobs = await settled(run, before.length)
    const told = await toldTo(project, owner)
    for (const { record, prompt, session } of jobs) {
      // Delivered once, by the dead process or by this one.
      expect(told.split(`<job id=\\"${record.id}\\"`), `${record.id} in ${told}`).toHaveLength(2)
      const asked = model.requests.filter((request) => request.text === prompt)
      // An end that was told of stands.
      if (cancelled.some(({ id, state }) => id === record.id && state === "cancelled")) {
        expect(record.state).toBe("cancelled")
        expect(model.requests.slice(requestsBefore).filter((request) => request.text === prompt)).toEqual([])
      }
      if (record.state === "cancelled") expect(cancelledIds).toContain(record.id)
      else if (recover === "fail") {
        expect(asked.length).toBeLessThanOrEqual(1)
        if (record.state !== "done")
          expect(record).toMatchObject({ state: "failed", error: { kind: "interrupted" } })
      } else {
        expect(record.state).toBe("done")
        // Only a request whose answer opencode had not kept is made again.
        expect(asked.length).toBeLessThanOrEqual(2)
        expect(await answersIn(project, session)).toBe(1)
      }
      if (record.state === "done") expect(told).toContain(`answer to ${prompt}`)
    }
  }

  /** Starts runs, has opencode end after this share of their events, and starts it again. */
  async function endAfter(share: number, name: string, end: () => Promise<void>): Promise<End> {
    const reached = afterEvents(Math.ceil(eventsOfRuns * share))
    const runs = await startRuns(name)
    // Some runs have fewer events than the first: then it is over when all is delivered.
    await Promise.race([reached, allSettled(runs).catch(() => {})])
    await end()
    return { runs, requestsBefore: model.requests.length }
  }

  const moments = Array.from({ length: kills - 1 }, (_, index) => index)
  describe.each(moments)(`by kill -9 at moment %i of ${kills - 1}`, (moment) => {
    let end: End
    beforeAll(async () => {
      end = await endAfter((moment + 0.5) / (kills - 1), `${moment}`, () => opencode.kill())
      await opencode.restart()
    })

    test.each(modes)("recover: %s: nothing is lost, nothing doubled", (mode) =>
      judge(end.runs[mode], end.requestsBefore),
    )
  })

  // `opencode serve` of 1.18 dies of a SIGTERM as of a kill.
  describe.runIf(generation === 2)("by SIGTERM in the middle", () => {
    let end: End
    beforeAll(async () => {
      end = await endAfter(1 / 2, "term", async () => {})
      await opencode.restart()
    })

    test.each(modes)("recover: %s: nothing is lost, nothing doubled", (mode) =>
      judge(end.runs[mode], end.requestsBefore),
    )
  })

  describe("by kill -9 as soon as a cancel of queued jobs is told", () => {
    let end: End
    beforeAll(async () => {
      const killed = gate()
      // Those that have a slot keep it: the others wait in the queue.
      model.on(/^job \d+ of (fail|resume)-told/, ({ text }) => ({
        type: "hold",
        until: killed.passed.then(() => `answer to ${text}`),
      }))
      const runs = await startRuns("told")
      const isTold = ({ cancelCall }: Run) =>
        model.waitFor(({ messages }) => messages.at(-1)?.tool_call_id === cancelCall)
      await Promise.all(modes.map((mode) => isTold(runs[mode])))
      await opencode.kill()
      killed.open("")
      end = { runs, requestsBefore: model.requests.length }
      // Beside another where jobs are resumed, so that both find the same jobs: none may be run by both.
      await restartBesideAnother(runs.resume.owner)
    })

    test.each(modes)("recover: %s: they stay cancelled", async (mode) => {
      const run = end.runs[mode]
      await judge(run, end.requestsBefore)
      const stored = await projects[mode].stored(run.owner)
      const cancelled = stored.filter(({ record }) => record.state === "cancelled")
      expect(cancelled.map(({ record }) => record.id).sort()).toEqual(cancelledIds)
      for (const { record } of cancelled) expect(record).not.toHaveProperty("startedAt")
    })
  })

  async function restartBesideAnother(owner: string): Promise<void> {
    const other = await opencode.restartBesideAnother()
    try {
      await poll(
        "the end of all jobs",
        async () => {
          const jobs = await opencode.stored(owner)
          return jobs.every(({ record }) => record.endedAt !== undefined) || undefined
        },
        { timeoutMs: 30_000, everyMs: 200 },
      )
    } finally {
      // What the other has run is its own to deliver, while it lives.
      await other.stop()
    }
  }
})
