import fc from "fast-check"
import { describe, expect, it, vi } from "vitest"
import type { Prompt } from "../../../src/plugin/host/port.ts"
import { failed, ok } from "../support/host-double.ts"
import { answerTo } from "../support/opencode-data.ts"
import { frozenTime, inEveryOrder, racedServices, timeout } from "../support/races.ts"

frozenTime()

describe("Messages that come as the child's turn ends", () => {
  const race = fc.record({
    /** How opencode takes each message. */
    messages: fc.array(fc.constantFrom("taken", "refused", "unanswered"), { minLength: 1, maxLength: 3 }),
    /** What becomes of the calls that wait for the child's answers; all later ones return. */
    calls: fc.array(fc.constantFrom("returns", "is cut off"), { maxLength: 4 }),
  })

  it("are each asked once, or said to be not sent; none is both, and no answer is lost", {
    timeout,
  }, async () => {
    await inEveryOrder(race, async (scheduler, { messages, calls }) => {
      const taken: Prompt[] = []
      const steer = async (prompt: Prompt) => {
        const how = messages[Number(prompt.text.slice(-1))]
        soon("its child answers", answer)
        if (how !== "refused") taken.push(prompt)
        if (how === "unanswered") return { ok: false as const, error: { message: "?", isInDoubt: true } }
        return how === "taken" ? ok(undefined) : failed("not now")
      }
      const { call, host, troupe, soon, settle } = racedServices(scheduler, { steer })
      const answer = () => {
        const [asked] = host.prompts.splice(0, 1)
        vi.advanceTimersByTime(1)
        if (!asked) return
        answered.push(asked.prompt.text)
        const text = `on ${asked.prompt.text}`
        if (calls.shift() !== "is cut off") return asked.answer(text)
        asked.write(answerTo(asked.prompt, text))
        asked.settle(failed("connection reset"))
      }
      const answered: string[] = []
      const starting = call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
      await settle()
      await starting

      const outcomes = messages.map((_, index) =>
        call("agents_send", { id: "a", message: `more ${index}` }).then(
          ({ title }) => title,
          (error: Error) => error.message,
        ),
      )
      soon("its child answers", answer)
      await settle()
      while (host.prompts.length > 0) {
        answer()
        await settle()
      }

      const words = await Promise.all(outcomes)
      for (const [index, said] of words.entries()) {
        const times = answered.filter((text) => text === `more ${index}`).length
        expect(times, said).toBe(said.includes("Nothing was sent") ? 0 : 1)
      }
      expect(answered.filter((text) => text === "work")).toHaveLength(1)
      // What an earlier run has answered goes before that of a follow-up.
      const last = new RegExp(`(^|\n\n)on ${answered.at(-1)}$`)
      expect(troupe.records.of("owner")).toMatchObject([{ state: "done", text: expect.stringMatching(last) }])
    })
  })
})
