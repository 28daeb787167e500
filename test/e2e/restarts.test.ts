import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyOpencode, KeptJob } from "../support/any-opencode.ts"
import { kills } from "../support/depth.ts"
import { gate } from "../support/gate.ts"
import { describeBoth, type OneGeneration } from "../support/generations.ts"
import { jobsOf } from "../support/jobs.ts"
import { newCallId } from "../support/replies.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

const jobCount = 8
/** Cancelled in the turn that starts them, before their turn in the queue has come. */
const cancelledIds = ["job-6", "job-7"]

/** An owner that starts jobs and cancels two of them in the same turn. */
type Run = { owner: string; tasks: { id: string; prompt: string }[]; startCall: string; cancelCall: string }

describeBoth("recover: fail", (opencode) => describeKills(opencode, "fail"))
describeBoth("recover: resume", (opencode) => describeKills(opencode, "resume"))

function describeKills({ start, generation }: OneGeneration, recover: "fail" | "resume"): void {
  let model: ScriptedModel
  let opencode: AnyOpencode
  let eventsOfARun: number

  beforeAll(async () => {
    model = await startScriptedModel()
    model.on(/^job \d+ of /, ({ text }) => ({
      type: "text",
      text: `answer to ${text}`,
      delayMs: 20,
      chunks: 3,
    }))
    opencode = await start({ model, plugin: { options: { recover, concurrency: 3 } } })
    const before = opencode.events.seen.length
    await settled((await startRun("warm-up")).owner, jobCount)
    eventsOfARun = opencode.events.seen.length - before
  })
  afterAll(async () => {
    await opencode?.stop()
    await model.stop()
  })

  async function startRun(name: string): Promise<Run> {
    const owner = await opencode.session()
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
    opencode.say(owner, words).catch(() => {})
    return { owner, tasks, startCall, cancelCall }
  }

  /** The owner's jobs once each has ended and its result is delivered. */
  function settled(owner: string, count: number): Promise<KeptJob[]> {
    return poll(
      "the end of all jobs, and the delivery of their results",
      async () => {
        const jobs = await opencode.stored(owner)
        const isOver = jobs.every(
          ({ record, deliveredRun }) => record.endedAt !== undefined && deliveredRun === record.run,
        )
        return isOver && jobs.length === count ? jobs : undefined
      },
      { timeoutMs: 30_000, everyMs: 200 },
    )
  }

  /** How often the model's whole answer stands in a child's conversation. */
  async function answersIn(session: string): Promise<number> {
    const messages = await opencode.messages(session)
    return messages.filter((message) => message.role === "assistant" && message.end && !message.end.error)
      .length
  }

  /** Everything that an owner's model has been told. */
  async function toldTo(owner: string): Promise<string> {
    await opencode.say(owner, "What do you know?")
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
  async function known({ owner, tasks, startCall }: Run, requestsBefore: number): Promise<string[]> {
    const start = await opencode.outcomeOf(owner, startCall)
    const asked = new Set(model.requests.slice(0, requestsBefore).map(({ text }) => text))
    return tasks
      .filter(({ prompt }) => start?.status === "completed" || asked.has(prompt))
      .map(({ id }) => id)
  }

  /** What must hold once opencode is there again and the owner's session is used. */
  async function judge(run: Run, requestsBefore: number): Promise<void> {
    const { owner, cancelCall } = run
    const cancel = await opencode.outcomeOf(owner, cancelCall)
    const cancelled = cancel?.status === "completed" ? jobsOf(cancel) : []
    const before = await opencode.stored(owner)
    expect(before.map(({ record }) => record.id)).toEqual(
      expect.arrayContaining(await known(run, requestsBefore)),
    )
    await opencode.callTool(owner, "agents_wait", {})
    const jobs = await settled(owner, before.length)
    const told = await toldTo(owner)
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
        expect(await answersIn(session)).toBe(1)
      }
      if (record.state === "done") expect(told).toContain(`answer to ${prompt}`)
    }
  }

  test.each(Array.from({ length: kills - 1 }, (_, index) => index))(
    `kill -9 at moment %i of ${kills - 1}: nothing is lost, nothing doubled`,
    async (moment) => {
      const reached = afterEvents(Math.ceil((eventsOfARun * (moment + 0.5)) / (kills - 1)))
      const run = await startRun(`${recover}-${moment}`)
      // Some runs have fewer events than the first: then it is over when all is delivered.
      await Promise.race([reached, settled(run.owner, jobCount).catch(() => {})])
      await opencode.kill()
      const requestsBefore = model.requests.length
      await opencode.restart()
      await judge(run, requestsBefore)
    },
  )

  // `opencode serve` of 1.18 dies of a SIGTERM as of a kill.
  test.runIf(generation === 2)("SIGTERM in the middle: nothing is lost, nothing doubled", async () => {
    const reached = afterEvents(Math.ceil(eventsOfARun / 2))
    const run = await startRun(`${recover}-term`)
    await Promise.race([reached, settled(run.owner, jobCount).catch(() => {})])
    const requestsBefore = model.requests.length
    await opencode.restart()
    await judge(run, requestsBefore)
  })

  test("kill -9 as soon as a cancel of queued jobs is told: they stay cancelled", async () => {
    const name = `${recover}-told`
    const killed = gate()
    // Those that have a slot keep it: the others wait in the queue.
    model.on(new RegExp(`^job \\d+ of ${name}`), ({ text }) => ({
      type: "hold",
      until: killed.passed.then(() => `answer to ${text}`),
    }))
    const run = await startRun(name)
    await model.waitFor(({ messages }) => messages.at(-1)?.tool_call_id === run.cancelCall)
    await opencode.kill()
    killed.open("")
    const requestsBefore = model.requests.length
    // Where jobs are resumed, beside another, so that both find the same jobs: none may be run by both.
    if (recover === "resume") await restartBesideAnother(run.owner)
    else await opencode.restart()
    await judge(run, requestsBefore)
    const cancelled = (await opencode.stored(run.owner)).filter(({ record }) => record.state === "cancelled")
    expect(cancelled.map(({ record }) => record.id).sort()).toEqual(cancelledIds)
    for (const { record } of cancelled) expect(record).not.toHaveProperty("startedAt")
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
}
