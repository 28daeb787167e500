import fc from "fast-check"
import { describe, expect, it, vi } from "vitest"
import { hasEnded, type JobRecord } from "../../../src/machines/record.ts"
import type { Prompt } from "../../../src/plugin/host/port.ts"
import { ok } from "../support/host-double.ts"
import { frozenTime, inEveryOrder, racedServices, timeout } from "../support/races.ts"

frozenTime()

describe("Follow-ups that are sent at once", () => {
  const race = fc.record({
    messages: fc.integer({ min: 2, max: 4 }),
    /** Whether the job's text lies with opencode alone, as after a restart. */
    isFromEarlier: fc.boolean(),
  })

  it("start one run after the other, each with its own result, and none gets lost", { timeout }, async () => {
    await inEveryOrder(race, async (scheduler, { messages, isFromEarlier }) => {
      const sent: Prompt[] = []
      const steer = async (prompt: Prompt) => {
        sent.push(prompt)
        return ok(undefined)
      }
      const { call, host, troupe, inbox, soon, settle } = racedServices(scheduler, { steer })
      const ends: JobRecord[] = []
      troupe.records.subscribe((record) => void (hasEnded(record) && ends.push(record)))
      const finish = () => {
        for (const { prompt, answer } of host.prompts.splice(0)) {
          vi.advanceTimersByTime(1)
          answer(`on ${prompt.text}`)
        }
      }
      const starting = call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
      await settle()
      await starting
      finish()
      await settle()
      const [first] = ends
      if (isFromEarlier && first) {
        const { text: _text, ...rest } = first
        troupe.adopt(rest)
      }
      ends.length = 0

      const outcomes = Array.from({ length: messages }, (_, index) =>
        call("agents_send", { id: "a", message: `more ${index}` }).then(
          ({ title }) => title,
          (error: Error) => error.message,
        ),
      )
      for (let index = 0; index < messages; index++) soon("its child answers", finish)
      await settle()
      const words = await Promise.all(outcomes)
      for (let index = 0; index < messages; index++) {
        finish()
        await settle()
      }

      const said = (part: string) => words.filter((each) => each.includes(part))
      const runs = said("Run ").map((each) => Number(/Run (\d+)/.exec(each)?.[1]))
      expect(runs.toSorted()).toEqual(runs.map((_, index) => index + 2))
      expect(said("Run ").length + said("gets the message").length + said("Nothing was sent").length).toBe(
        messages,
      )
      expect(sent.length).toBe(said("gets the message").length)
      expect(new Set(sent.map(({ messageID }) => messageID)).size, "two messages of one id").toBe(sent.length)
      expect(ends.map(({ run }) => run)).toEqual(runs.toSorted())
      expect(inbox.undelivered("owner").map(({ run }) => run)).toEqual([runs.length + 1])
    })
  })
})
