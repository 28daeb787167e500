import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { hasEnded, type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { frozenTime, inEveryOrder, racedServices, timeout } from "../support/races.ts"

frozenTime()

const limit = 1_000

describe("Jobs that start, use tokens, answer and are continued while their budget is used up", () => {
  const race = fc.record({
    jobs: fc.integer({ min: 1, max: 4 }),
    concurrency: fc.integer({ min: 1, max: 4 }),
    /** Of the batch, or of the owner of all batches. */
    isOfOwner: fc.boolean(),
    /** Each step belongs to some job, and has used so much more. */
    steps: fc.array(fc.record({ of: fc.nat(4), tokens: fc.integer({ min: 1, max: 900 }) }), { maxLength: 8 }),
    answers: fc.array(fc.nat(4), { maxLength: 4 }),
    followUps: fc.array(fc.nat(4), { maxLength: 3 }),
    /** Whether the first child starts a job itself, and which of the owner's calls starts another batch. */
    startsMore: fc.constantFrom("nobody", "the child", "the owner"),
  })

  it("are never prompted after that, and end; until then none is cancelled", { timeout }, async () => {
    await inEveryOrder(race, async (scheduler, given) => {
      const { jobs, concurrency, isOfOwner, steps, answers, followUps, startsMore } = given
      const budget = { tokens: limit }
      const { call, host, hear, troupe, soon, settle } = racedServices(
        scheduler,
        {},
        { depth: 2, concurrency, ...(isOfOwner && { budget }) },
      )
      const broken: string[] = []
      const used = new Map<string, number>()
      const sum = () => [...used.values()].reduce((all, tokens) => all + tokens, 0)
      let promptsAtLimit: number | undefined

      const ends = new Map<string, number>()
      troupe.records.subscribe((record, before) => {
        const key = `${record.owner}/${record.id}/${record.run}`
        if (hasEnded(record) && !(before && hasEnded(before) && before.run === record.run))
          ends.set(key, (ends.get(key) ?? 0) + 1)
        if (record.error?.kind === "budget" && sum() < limit) broken.push(`${key} is cancelled too early`)
      })
      const job = (index: number): JobRecord | undefined => troupe.records.get("owner", `a${index % jobs}`)
      const spend = (session: string, tokens: number) => {
        const all = (used.get(session) ?? 0) + tokens
        used.set(session, all)
        hear({ type: "usage.changed", session, usage: { ...NO_USAGE, input: all } })
        if (sum() >= limit) promptsAtLimit ??= host.prompts.length
      }
      const refused: string[] = []
      const attempt = (made: Promise<{ output: string }>) =>
        made.then(
          () => undefined,
          (error: Error) => void refused.push(error.message),
        )

      const tasks = Array.from({ length: jobs }, (_, index) => ({ id: `a${index}`, prompt: "work" }))
      const calls = [attempt(call("agents_start", { tasks, ...(!isOfOwner && { budget }) }))]
      await settle(0)
      for (const { of, tokens } of steps)
        soon("a step ends", () => {
          const record = job(of)
          if (record?.state === "prompting" && record.phase !== "stopping") spend(record.session, tokens)
        })
      for (const of of answers)
        soon("a child answers", () => {
          const session = job(of)?.session
          host.prompts.findLast(({ prompt }) => prompt.session === session)?.answer("done")
        })
      for (const of of followUps)
        soon("a follow-up is sent", () => {
          calls.push(attempt(call("agents_send", { id: `a${of % jobs}`, message: "go on" })))
        })
      if (startsMore !== "nobody")
        soon("more is started", () => {
          const owner = startsMore === "the owner" ? "owner" : job(0)?.session
          if (!owner) return
          const more = { tasks: [{ id: "more", prompt: "work more" }] }
          calls.push(attempt(call("agents_start", more, { owner })))
        })
      await settle(1_500)
      await Promise.all(calls)

      const isIn = ({ owner, id }: JobRecord) => isOfOwner || owner !== "owner" || id !== "more"
      const all = [...troupe.records.all()].filter(isIn)
      if (promptsAtLimit === undefined) {
        expect(all.filter(({ error }) => error?.kind === "budget")).toEqual([])
        expect(refused.filter((words) => words.includes("budget"))).toEqual([])
      } else {
        const late = host.prompts
          .slice(promptsAtLimit)
          .filter(({ prompt }) => all.some(({ session }) => session === prompt.session))
        expect(late.map(({ prompt }) => prompt.text)).toEqual([])
        expect(all.filter((record) => !hasEnded(record)).map(({ id, phase }) => `${id} ${phase}`)).toEqual([])
      }
      expect(broken).toEqual([])
      expect([...ends.values()].filter((count) => count > 1)).toEqual([])
    })
  })
})
