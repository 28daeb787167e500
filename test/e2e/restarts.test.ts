import type { Session } from "@opencode-ai/sdk/v2/client"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { StoredJob } from "../../src/plugin/records/stored-job.ts"
import { answered } from "../support/answered.ts"
import { isNotification, userTexts } from "../support/conversation.ts"
import { kills } from "../support/depth.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

type KeptJob = StoredJob & { session: string }

const jobCount = 8

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
    await settled(await startRun("warm-up"), jobCount)
    eventsOfARun = opencode.events.seen.length - before
  })
  afterAll(async () => {
    await opencode.stop()
    await model.stop()
  })

  async function startRun(name: string): Promise<string> {
    const owner = await opencode.session()
    opencode.startTool(owner, "agents_start", {
      tasks: Array.from({ length: jobCount }, (_, index) => ({
        id: `job-${index}`,
        prompt: `job ${index} of ${name}.`,
      })),
    })
    return owner
  }

  /** The owner's jobs as they lie in opencode's store, once each has ended and its owner has been told. */
  function settled(owner: string, count: number): Promise<KeptJob[]> {
    return poll(
      "the end of all jobs, and their owner's knowledge of it",
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

  /** How often the model's whole answer stands in a child's conversation. */
  async function answersIn(session: string): Promise<number> {
    const messages = await answered("the messages", opencode.client.session.messages({ sessionID: session }))
    return messages.filter(({ info }) => info.role === "assistant" && info.finish === "stop").length
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

  test.each(Array.from({ length: kills }, (_, index) => index))(
    `kill -9 at moment %i of ${kills}: nothing is lost, nothing doubled`,
    async (moment) => {
      const name = `${recover}-${moment}`
      const reached = afterEvents(Math.ceil((eventsOfARun * (moment + 0.5)) / kills))
      const owner = await startRun(name)
      // Some runs have fewer events than the first: then it is over when all is told.
      await Promise.race([reached, settled(owner, jobCount).catch(() => {})])
      await opencode.kill()
      await opencode.restart()

      const before = await storedJobs(owner)
      const jobs = await settled(owner, before.length)
      const notifications = (await userTexts(opencode, owner)).filter(isNotification).join("\n")
      for (const { record, prompt, session } of jobs) {
        // Told once, by the dead process or by this one.
        expect(notifications.split(`<job id="${record.id}"`)).toHaveLength(2)
        const asked = model.requests.filter(({ text }) => text === prompt)
        if (recover === "fail") {
          expect(asked.length).toBeLessThanOrEqual(1)
          if (record.state !== "done")
            expect(record).toMatchObject({ state: "failed", error: { kind: "interrupted" } })
        } else {
          expect(record.state).toBe("done")
          // Only a request whose answer opencode had not kept is made again.
          expect(asked.length).toBeLessThanOrEqual(2)
          expect(await answersIn(session)).toBe(1)
        }
        if (record.state === "done") expect(notifications).toContain(`answer to ${prompt}`)
      }
    },
  )
})
