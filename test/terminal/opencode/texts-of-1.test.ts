import { describe, expect, it } from "vitest"
import type { ShownJob } from "../../../src/terminal/jobs.ts"
import type { Message } from "../../../src/terminal/opencode/api-of-1.ts"
import { textOf } from "../../../src/terminal/opencode/texts-of-1.ts"
import { shownJob } from "../support/shown-job.ts"

const says = (role: string, ...texts: string[]): Message => ({
  info: { role },
  parts: texts.map((text) => ({ type: "text", text })),
})
const asked = says("user", "Look into it")
const calls: Message = { info: { role: "assistant" }, parts: [{ type: "tool" }] }
const steered = says("user", "Look at the tokens, too")
const running = shownJob()
const done = shownJob({ state: "done", endedAt: 1 })
const timedOut = shownJob({ state: "timedOut", endedAt: 1 })
const writes = (text: string) => shownJob({ activity: { text, at: 1 } })

describe("What a job of 1.18 has written", () => {
  it.each<[string, ShownJob, Message[], string]>([
    [
      "is its answer once it is done",
      done,
      [asked, says("assistant", "I look"), says("assistant", "Fine")],
      "Fine",
    ],
    ["is all of it otherwise", timedOut, [asked, says("assistant", "I look"), calls], "I look"],
    ["is nothing where that is nothing", timedOut, [asked, calls], ""],
    [
      "goes on over a message to it",
      running,
      [asked, says("assistant", "a"), steered, says("assistant", "b")],
      "a\n\nb",
    ],
    [
      "is the earlier answer where a follow-up ends without one",
      timedOut,
      [says("user", "first"), says("assistant", "Fine"), asked, says("assistant", "Wel")],
      "Fine",
    ],
    [
      "is that of its last run while that goes on",
      running,
      [says("user", "first"), says("assistant", "Fine"), asked, says("assistant", "Wel")],
      "Wel",
    ],
    [
      "ends with what it is writing, which opencode has not stored yet",
      writes("half a lo"),
      [asked, says("assistant", "I look"), says("assistant", "")],
      "I look\n\n…half a lo",
    ],
    [
      "is told once where that is stored by now",
      writes("look"),
      [asked, says("assistant", "I look")],
      "I look",
    ],
  ])("%s", (_, job, messages, text) => {
    expect(textOf(job, messages, "Look into it")).toBe(text)
  })
})
