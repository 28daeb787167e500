import { describe, expect, it } from "vitest"
import { promptID } from "../../../src/plugin/host/prompt-ids.ts"
import type { ShownJob } from "../../../src/terminal/jobs.ts"
import type { Message } from "../../../src/terminal/opencode/api-of-1.ts"
import { textOf } from "../../../src/terminal/opencode/texts-of-1.ts"
import { shownJob } from "../support/shown-job.ts"

const asks = (id: string): Message => ({ info: { id, role: "user" }, parts: [{ type: "text", text: "Go" }] })
const says = (...texts: string[]): Message => ({
  info: { id: "msg_answer", role: "assistant" },
  parts: texts.map((text) => ({ type: "text", text })),
})
const asked = asks(promptID("ses_1", 3_000))
const second = asks(promptID("ses_1", 2_000))
const first = asks(promptID("ses_1", 1_000))
const calls: Message = { info: { id: "msg_call", role: "assistant" }, parts: [{ type: "tool" }] }
const steered = asks("msg_person")
const compacted: Message = { ...says("The goal is"), info: { id: "msg_s", role: "assistant", summary: true } }
const running = shownJob()
const done = shownJob({ state: "done", endedAt: 1 })
const timedOut = shownJob({ state: "timedOut", endedAt: 1 })
const writes = (text: string) => shownJob({ activity: { text, at: 1 } })

describe("What a job of 1.18 has written", () => {
  it.each<[string, ShownJob, Message[], string, number[]?]>([
    ["is its answer once it is done", done, [asked, says("I look"), says("Fine")], "Fine"],
    ["is all of it otherwise", timedOut, [asked, says("I look"), calls], "I look"],
    ["is nothing where that is nothing", timedOut, [asked, calls], ""],
    ["goes on over a message to it", running, [asked, says("a"), steered, says("b")], "a\n\nb"],
    [
      "is the earlier answer where a follow-up ends without one",
      timedOut,
      [first, says("Fine"), asked, says("Wel")],
      "Fine",
    ],
    [
      "has the answers before it that its owner was never given",
      done,
      [first, says("I look"), says("Fine"), second, says("Well"), steered, says("Yes"), asked, says("Done")],
      "Fine\n\nYes\n\nDone",
      [1_000, 2_000],
    ],
    [
      "has none that its owner was given",
      done,
      [first, says("Fine"), second, says("Yes"), asked, says("Done")],
      "Yes\n\nDone",
      [2_000],
    ],
    [
      "is all of those where a follow-up ends without an answer",
      timedOut,
      [first, says("Fine"), second, says("Yes"), asked, says("Wel")],
      "Fine\n\nYes",
      [1_000, 2_000],
    ],
    [
      "is that of its last run while that goes on",
      running,
      [first, says("Fine"), asked, says("Wel")],
      "Wel",
      [1_000],
    ],
    ["is its answer where opencode has compacted it since", done, [asked, says("Fine"), compacted], "Fine"],
    ["has no summary of opencode's", running, [compacted, asked, says("a"), compacted, says("b")], "a\n\nb"],
    [
      "ends with what it is writing, which opencode has not stored yet",
      writes("half a lo"),
      [asked, says("I look"), says("")],
      "I look\n\n…half a lo",
    ],
    ["is told once where that is stored by now", writes("look"), [asked, says("I look")], "I look"],
  ])("%s", (_, job, messages, text, askedBefore = []) => {
    expect(textOf(job, messages, { prompt: "Go", askedAt: 3_000, askedBefore })).toBe(text)
  })
})
