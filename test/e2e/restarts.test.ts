import type { Session } from "@opencode-ai/sdk/v2/client"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { StoredJob } from "../../src/plugin/records/stored-job.ts"
import { answered } from "../support/answered.ts"
import { isNotification } from "../support/conversation.ts"
import { kills } from "../support/depth.ts"
import { jobsOf } from "../support/jobs.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

type KeptJob = StoredJob & { session: string }

const jobCount = 8
/** Cancelled in the turn that starts them, before their turn in the queue has come. */
const cancelledIds = ["job-6", "job-7"]

describe.each(["fail", "resume"] as const)("recover: %s", (recover) => {
  let model: ScriptedModel
  let opencode: Opencode
  let eventsOfARun: number

  beforeAll(async () => {
    model = await startScriptedModel()
    model.on(/^job \d+ of /, ({ text }) => ({
      type: "text",
      text: `answer to ${text}`,
      delayMs: 20,
      chunks: 3,
    }))
    opencode = await startOpencode({ model, plugin: { options: { recover, concurrency: 3 } } })
    const before = opencode.events.seen.length
    await settled((await startRun("warm-up")).owner, jobCount)
    eventsOfARun = opencode.events.seen.length - before
  })
  afterAll(async () => {
    await opencode.stop()
    await model.stop()
  })

  /** An owner that starts jobs, and cancels two of them in the same turn. */
  async function startRun(name: string): Promise<{ owner: string; cancelTold: Promise<unknown> }> {
    const owner = await opencode.session()
    const tasks = Array.from({ length: jobCount }, (_, index) => ({
      id: `job-${index}`,
      prompt: `job ${index} of ${name}.`,
    }))
    const cancel = `call_cancel_${owner}`
    const words = `Begin ${name}!`
    model.script(words, [
      { type: "tool", calls: [{ name: "agents_start", args: { tasks } }] },
      { type: "tool", calls: [{ name: "agents_cancel", args: { ids: cancelledIds }, id: cancel }] },
    ])
    const parts = [{ type: "text" as const, text: words }]
    await answered("the prompt", opencode.client.session.promptAsync({ sessionID: owner, parts }).then(done))
    const cancelTold = opencode.events.waitFor(({ payload }) => {
      if (payload.type !== "message.part.updated") return false
      const { part } = payload.properties
      return part.type === "tool" && part.callID === cancel && part.state.status === "completed"
    }, 30_000)
    cancelTold.catch(() => {})
    return { owner, cancelTold }
  }

  /** The owner's jobs as they lie in opencode's store, once each has ended and its result is delivered. */
  function settled(owner: string, count: number): Promise<KeptJob[]> {
    return poll(
      "the end of all jobs, and the delivery of their results",
      async () => {
        const jobs = await storedJobs(owner)
        const isOver = jobs.every(
          ({ record, deliveredRun }) => record.endedAt !== undefined && deliveredRun === record.run,
        )
        return isOver && jobs.length === count ? jobs : undefined
      },
      { timeoutMs: 30_000 },
    )
  }

  async function storedJobs(owner: string): Promise<KeptJob[]> {
    const children = await answered("the children", opencode.client.session.children({ sessionID: owner }))
    return children.map((child: Session) => ({
      session: child.id,
      ...StoredJob.parse(child.metadata?.troupe),
    }))
  }

  const messagesOf = (session: string) =>
    answered("the messages", opencode.client.session.messages({ sessionID: session }))

  /** How often the model's whole answer stands in a child's conversation. */
  async function answersIn(session: string): Promise<number> {
    const messages = await messagesOf(session)
    return messages.filter(({ info }) => info.role === "assistant" && info.finish === "stop").length
  }

  /** What the owner's conversation holds of results: notifications, and answers of tools. */
  async function deliveredTo(owner: string): Promise<{ text: string; cancelled: string[] }> {
    const parts = (await messagesOf(owner)).flatMap((message) => message.parts)
    const notifications = parts.flatMap((part) =>
      part.type === "text" && isNotification(part.text) ? [part.text] : [],
    )
    const calls = parts.flatMap((part) =>
      part.type === "tool" && part.state.status === "completed"
        ? [{ tool: part.tool, state: part.state }]
        : [],
    )
    const cancelled = calls
      .filter(({ tool }) => tool === "agents_cancel")
      .flatMap(({ state }) => jobsOf(state).filter(({ state }) => state === "cancelled"))
    return {
      text: [...notifications, ...calls.map(({ state }) => state.output)].join("\n"),
      cancelled: cancelled.map(({ id }) => id),
    }
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

  /** What must hold once opencode is there again and the owner's session is used. */
  async function judge(owner: string, requestsBefore: number): Promise<void> {
    const { cancelled } = await deliveredTo(owner)
    const before = await storedJobs(owner)
    await opencode.callTool(owner, "agents_wait", {})
    const jobs = await settled(owner, before.length)
    const { text } = await deliveredTo(owner)
    for (const { record, prompt, session } of jobs) {
      // Delivered once, by the dead process or by this one.
      expect(text.split(`<job id="${record.id}"`), record.id).toHaveLength(2)
      const asked = model.requests.filter((request) => request.text === prompt)
      // An end that was told of stands.
      if (cancelled.includes(record.id)) {
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
      if (record.state === "done") expect(text).toContain(`answer to ${prompt}`)
    }
  }

  test.each(Array.from({ length: kills - 1 }, (_, index) => index))(
    `kill -9 at moment %i of ${kills - 1}: nothing is lost, nothing doubled`,
    async (moment) => {
      const reached = afterEvents(Math.ceil((eventsOfARun * (moment + 0.5)) / (kills - 1)))
      const { owner } = await startRun(`${recover}-${moment}`)
      // Some runs have fewer events than the first: then it is over when all is delivered.
      await Promise.race([reached, settled(owner, jobCount).catch(() => {})])
      await opencode.kill()
      const requestsBefore = model.requests.length
      await opencode.restart()
      await judge(owner, requestsBefore)
    },
  )

  test("kill -9 as soon as a cancel of queued jobs is told: they stay cancelled", async () => {
    const { owner, cancelTold } = await startRun(`${recover}-told`)
    await cancelTold
    await opencode.kill()
    const requestsBefore = model.requests.length
    // Where jobs are resumed, beside another, so that both find the same jobs: none may be run by both.
    if (recover === "resume") await restartBesideAnother(owner)
    else await opencode.restart()
    await judge(owner, requestsBefore)
  })

  async function restartBesideAnother(owner: string): Promise<void> {
    const { home, project } = opencode
    const [other] = await Promise.all([startOpencode({ model, home, project }), opencode.restart()])
    try {
      // Their plugins are loaded with their first requests.
      await Promise.all([other, opencode].map(({ client }) => answered("the agents", client.app.agents())))
      await poll(
        "the end of all jobs",
        async () => {
          const jobs = await storedJobs(owner)
          return jobs.every(({ record }) => record.endedAt !== undefined) || undefined
        },
        { timeoutMs: 30_000 },
      )
    } finally {
      // What the other has run is its own to deliver, while it lives.
      await other.stop()
    }
  }
})

/** What is answered with nothing. */
const done = ({ error }: { error?: unknown }) => ({ data: true, ...(error !== undefined && { error }) })
