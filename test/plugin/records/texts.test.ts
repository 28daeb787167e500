import { describe, expect, it, vi } from "vitest"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import type { HostMessage } from "../../../src/plugin/host/port.ts"
import { promptID } from "../../../src/plugin/host/prompt-ids.ts"
import type { MessageWithParts } from "../../../src/plugin/host/v1/decode.ts"
import { newStoredJob } from "../../../src/plugin/records/stored-job.ts"
import { textOf, withTexts } from "../../../src/plugin/records/texts.ts"
import { jobInput } from "../../machines/support/jobs.ts"
import { failed, hostDouble, ok } from "../support/host-double.ts"
import { answerTo, askedBy, sessionOf } from "../support/opencode-data.ts"
import { lease } from "../support/services.ts"

const done: JobRecord = {
  id: "a",
  session: "ses_1",
  owner: "owner",
  description: "Look",
  agent: "general",
  state: "done",
  run: 1,
  createdAt: 1,
  usage: NO_USAGE,
}
const cancelled: JobRecord = {
  ...done,
  state: "cancelled",
  error: { kind: "cancelled", message: "not needed" },
}
const interrupted: JobRecord = { ...done, state: "failed", error: { kind: "interrupted", message: "" } }

const run1 = { session: "ses_1", messageID: promptID("ses_1", 1_000), text: "Look.", agent: "general" }
const run2 = { ...run1, messageID: promptID("ses_1", 2_000), text: "And more." }
/** A message after which its turn goes on. */
const step = (text: string, of = run1) => answerTo(of, text, { finish: "tool-calls" })
/** A message that opencode was writing when it stopped. */
const unfinished = (of = run1) => answerTo(of, "", { finish: "" })

/** A child's session, in which the latest run was asked at this time. */
function childThat(
  said: MessageWithParts[],
  { run = 1, askedAt = 1_000, askedBefore = [] as number[] } = {},
) {
  const host = hostDouble()
  const stored = { ...newStoredJob(jobInput({ run, askedAt }), lease), askedBefore }
  host.sessions.set("ses_1", sessionOf("ses_1", { metadata: { troupe: stored } }))
  host.said.set("ses_1", said)
  return host
}

describe("The text of an ended job that is no longer in memory", () => {
  it("is its child's final answer, and that alone", async () => {
    const host = childThat([askedBy(run1), step("I look around."), answerTo(run1, "All is well.")])
    expect(await textOf(host, done)).toEqual({ kind: "text", text: "All is well." })
  })

  it("is that of the latest run", async () => {
    const said = [askedBy(run1), answerTo(run1, "of run 1"), askedBy(run2), answerTo(run2, "of run 2")]
    const host = childThat(said, { run: 2, askedAt: 2_000 })
    expect(await textOf(host, { ...done, run: 2 })).toEqual({ kind: "text", text: "of run 2" })
  })

  it("is also that of the runs before it whose results its owner had not been given", async () => {
    const run3 = { ...run1, messageID: promptID("ses_1", 3_000), text: "And that." }
    const said = [
      ...[askedBy(run1), step("I look."), answerTo(run1, "of run 1")],
      ...[askedBy(run2), answerTo(run2, "of run 2"), askedBy(run3), step("I go on.", run3)],
    ]
    const asked = { run: 3, askedAt: 3_000, askedBefore: [1_000, 2_000] }
    const cut = childThat(said, asked)
    const whole = childThat([...said, answerTo(run3, "of run 3")], asked)
    const text = "of run 1\n\nof run 2"
    expect(await textOf(cut, { ...cancelled, run: 3 })).toEqual({ kind: "text", text })
    expect(await textOf(whole, { ...done, run: 3 })).toEqual({ kind: "text", text: `${text}\n\nof run 3` })
  })

  it("is all that it had written in its run where it ended otherwise", async () => {
    const host = childThat([askedBy(run1), step("I look around."), answerTo(run1, "It seems")])
    expect(await textOf(host, cancelled)).toEqual({ kind: "text", text: "I look around.\n\nIt seems" })
  })

  it("is the earlier answer where a follow-up ended otherwise than by one", async () => {
    const said = [
      askedBy(run1),
      step("I look."),
      answerTo(run1, "of run 1"),
      askedBy(run2),
      step("half", run2),
    ]
    const host = childThat(said, { run: 2, askedAt: 2_000 })
    expect(await textOf(host, { ...cancelled, run: 2 })).toEqual({ kind: "text", text: "of run 1" })
  })

  it("is the latest that there is where opencode does not say when the run was asked", async () => {
    const said = [askedBy(run1), step("I look around."), answerTo(run1, "It seems"), askedBy(run2)]
    const host = childThat(said, { run: 2, askedAt: 2_000 })
    const text = { kind: "text", text: "It seems" }
    expect(await textOf(host, { ...cancelled, run: 3 })).toEqual(text)
    expect(await textOf({ ...host, session: no }, cancelled)).toEqual(text)
    host.sessions.set("ses_1", sessionOf("ses_1", { metadata: { troupe: "damaged" } }))
    expect(await textOf(host, cancelled)).toEqual(text)
  })

  it.each<[string, JobRecord, MessageWithParts[]]>([
    ["answered without a word", done, [askedBy(run1), step("I look around."), answerTo(run1, "")]],
    ["was stopped before it had said anything", cancelled, [askedBy(run1), unfinished()]],
    ["was interrupted before it began", interrupted, [askedBy(run1)]],
    ["was interrupted from outside", interrupted, [askedBy(run1), answerTo(run1, "")]],
  ])("is nothing where the child %s", async (_, record, said) => {
    expect(await textOf(childThat(said), record)).toEqual({ kind: "nothing" })
  })

  it("is lost where opencode stopped while the child was writing: it keeps only what is finished", async () => {
    expect(await textOf(childThat([askedBy(run1), unfinished()]), interrupted)).toEqual({
      kind: "lost",
      why: "opencode stopped while it was writing, and stores only finished text",
    })
    const host = childThat([askedBy(run1), step("I look around."), unfinished()])
    expect(await textOf(host, interrupted)).toEqual({ kind: "text", text: "I look around." })
  })

  it("is lost where its session was deleted", async () => {
    const gone = { ...hostDouble(), messages: async () => failed("no such session", 404) }
    expect(await textOf(gone, done)).toEqual({ kind: "lost", why: "its session was deleted" })
  })

  it("is unreadable where opencode does not answer", async () => {
    expect(await textOf({ ...hostDouble(), messages: no }, done)).toEqual({
      kind: "unreadable",
      why: "not now",
    })
  })
})

it("A text is not asked for where it is known, or where there was no session", async () => {
  const messages = vi.fn(no)
  const records: JobRecord[] = [
    { ...done, text: "known" },
    { ...cancelled, text: "" },
    { ...done, session: "", state: "failed" },
  ]
  const read = await withTexts({ ...hostDouble(), messages }, records)
  expect(read.map(({ record }) => record)).toEqual(records)
  expect(read.map(({ text }) => text)).toEqual([
    { kind: "text", text: "known" },
    { kind: "nothing" },
    { kind: "nothing" },
  ])
  expect(messages).not.toHaveBeenCalled()
})

const no = async () => failed("not now")

describe("The text of a child whose conversation opencode has compacted", () => {
  const summary: HostMessage = {
    role: "user",
    id: "msg_sum",
    text: "",
    marks: [],
    agent: "general",
    model: "fake/m1",
    summarizesUntil: 5_000,
  }
  const compacted = (...rest: HostMessage[]) => hostDouble({ messages: async () => ok([summary, ...rest]) })
  const answer: HostMessage = {
    role: "assistant",
    id: "msg_2",
    text: "All is well.",
    model: "fake/m1",
    marks: [],
    answers: ["msg_sum"],
    end: {},
  }

  it("is lost where it came before, which is not the same as none", async () => {
    for (const record of [done, cancelled])
      expect(await textOf(compacted(), record)).toMatchObject({
        kind: "lost",
        why: expect.stringContaining("summary"),
      })
  })

  it("is what came after", async () => {
    expect(await textOf(compacted(answer), done)).toEqual({ kind: "text", text: "All is well." })
    expect(await textOf(compacted(answer), cancelled)).toEqual({ kind: "text", text: "All is well." })
  })

  it("is there once, where what came before was to go with it: the summary stands for both", async () => {
    const host = compacted(answer)
    const stored = { ...newStoredJob(jobInput({ run: 2, askedAt: 2_000 }), lease), askedBefore: [1_000] }
    host.sessions.set("ses_1", sessionOf("ses_1", { metadata: { troupe: stored } }))
    expect(await textOf(host, { ...done, run: 2 })).toEqual({ kind: "text", text: "All is well." })
  })
})
