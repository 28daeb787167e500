import fc from "fast-check"
import { describe, expect, it, vi } from "vitest"
import { loadSchema } from "../../../src/plugin/children/schema/schemas.ts"
import type { Prompt } from "../../../src/plugin/host/port.ts"
import { failed, ok } from "../support/host-double.ts"
import { answerTo } from "../support/opencode-data.ts"
import { frozenTime, inEveryOrder, racedServices, timeout } from "../support/races.ts"

frozenTime()

describe("Messages that come while an answer is checked and corrected", () => {
  const schema = { type: "object", properties: { on: { type: "string" } }, required: ["on"] }
  const race = fc.record({
    /** How opencode takes each message. */
    messages: fc.array(fc.constantFrom("taken", "refused"), { minLength: 1, maxLength: 3 }),
    /** Whether each of the child's answers fits; all later ones do. */
    answers: fc.array(fc.boolean(), { maxLength: 6 }),
    /** What becomes of the calls that wait for them; all later ones return. */
    calls: fc.array(fc.constantFrom("returns", "is cut off"), { maxLength: 4 }),
  })

  it("are each asked once and may each be corrected once; what is done has the data of the last answer", {
    timeout,
  }, async () => {
    // Loading takes real time, which stands still here.
    await loadSchema(schema)
    await inEveryOrder(race, async (scheduler, { messages, answers, calls }) => {
      const steer = async ({ text }: Prompt) => {
        soon("its child answers", answer)
        return messages[Number(/^more (\d)/.exec(text)?.[1])] === "taken" ? ok(undefined) : failed("not now")
      }
      const { call, host, troupe, soon, settle } = racedServices(scheduler, { steer })
      const said: { asked: string; fits: boolean; text: string }[] = []
      const answer = () => {
        const [asked] = host.prompts.splice(0, 1)
        vi.advanceTimersByTime(1)
        if (!asked) return
        const fits = answers.shift() ?? true
        const text = fits ? JSON.stringify({ on: `${said.length}` }) : "in words"
        said.push({ asked: asked.prompt.text, fits, text })
        if (calls.shift() !== "is cut off") return asked.answer(text)
        asked.write(answerTo(asked.prompt, text))
        asked.settle(failed("connection reset"))
      }
      const starting = call("agents_start", { tasks: [{ id: "a", prompt: "work", schema }] })
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
      const asked = said.map((each) => each.asked)
      for (const [index, sent] of words.entries()) {
        const times = asked.filter((text) => text.startsWith(`more ${index}`)).length
        expect(times, sent).toBe(sent.includes("Nothing was sent") ? 0 : 1)
      }
      for (const [index, text] of asked.entries()) {
        if (!text.includes("Answer again")) continue
        expect(asked[index - 1], "it is asked to correct what it has corrected").not.toContain("Answer again")
        expect(said[index - 1]?.fits, "it is asked to correct what fits").toBe(false)
      }
      const last = said.at(-1)
      const [record] = troupe.records.of("owner")
      expect(record).toMatchObject(
        last?.fits
          ? { state: "done", structured: JSON.parse(last.text) }
          : { state: "failed", error: { kind: "schema" } },
      )
      // What an earlier run has answered goes before that of a follow-up.
      expect(record?.text?.endsWith(last?.text ?? "?")).toBe(true)
    })
  })
})
