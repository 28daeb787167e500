import { describe, expect, it } from "vitest"
import type { JobInput } from "../../../src/machines/events.ts"
import { NO_USAGE } from "../../../src/machines/record.ts"
import { promptID, recheckID } from "../../../src/plugin/host/prompt-ids.ts"
import { decodeMessage, decodeSession, type MessageWithParts } from "../../../src/plugin/host/v1/decode.ts"
import {
  type Evidence,
  type Finding,
  type FoundJob,
  findingOf,
  onePerJob,
} from "../../../src/plugin/records/left-behind.ts"
import { newStoredJob, type StoredJob, type StoredRecord } from "../../../src/plugin/records/stored-job.ts"
import { answerTo, askedBy, sessionOf } from "../support/opencode-data.ts"

const askedAt = 1_000_000
const now = 2_000_000
const job: JobInput = {
  id: "a",
  owner: "owner",
  description: "Look",
  prompt: "Look around.",
  agent: "general",
  model: "fake/m2",
  variant: "high",
  mayStartJobs: true,
  createdAt: askedAt - 5,
  askedAt,
  run: 2,
  timeoutMs: 60_000,
  idleMs: 30_000,
}
const lease = { pid: 7, process: "start", instance: "dead" }
const asked = { session: "ses_1", messageID: promptID("ses_1", askedAt), text: job.prompt, agent: job.agent }
const question = askedBy(asked)

/** What the child wrote before it was asked this time. */
const earlier = [
  askedBy({ ...asked, messageID: "msg_0", text: "Look." }),
  answerTo({ ...asked, messageID: "msg_0" }, "of run 1"),
]
const aborted = {
  finish: "",
  error: { name: "MessageAbortedError" as const, data: { message: "aborted" } },
}
const refused = {
  finish: "",
  error: { name: "APIError" as const, data: { message: "overloaded", statusCode: 503, isRetryable: false } },
}

function evidenceOf(
  record: Partial<StoredRecord>,
  messages: MessageWithParts[] | undefined,
  more: Partial<Evidence> = {},
): Evidence {
  const stored = newStoredJob(job, lease)
  return {
    child: decodeSession(sessionOf("ses_1", { parentID: "owner", cost: 2 })),
    stored: { ...stored, record: { ...stored.record, ...record } },
    isHeld: false,
    messages: messages?.map(decodeMessage),
    recover: "fail",
    now,
    ...more,
  }
}

const cancel = { kind: "cancelled", message: "not needed" } as const
const idle = { kind: "idle", message: "nothing for 30 s" } as const
const working = { state: "prompting", phase: "working", startedAt: askedAt, deadlineAt: now } as const
const done = { state: "done", endedAt: 1_500_000 } as const
const stopping = { state: "prompting", phase: "stopping" } as const

describe("A job that a process has left", () => {
  it.each<[string, Evidence, Finding["type"], object]>([
    ["whose holder lives", evidenceOf(working, [question]), "held", {}],
    ["that has ended, whose holder lives", evidenceOf(done, undefined), "held", {}],
  ])("is somebody else's: one %s", (_, evidence, type) => {
    expect(findingOf({ ...evidence, isHeld: true })).toEqual({ type })
  })

  it.each<[string, Partial<StoredRecord>]>([
    ["is at work", working],
    ["waits for its turn", {}],
  ])("tells nothing without its messages, where all that is on record is that it %s", (_, record) => {
    expect(findingOf(evidenceOf(record, undefined))).toEqual({ type: "unread" })
  })

  it("goes on where a reload has taken it over before its child was asked; what was cut off does not", () => {
    const taken = { isTakenOver: true }
    expect(findingOf(evidenceOf({}, [], taken))).toMatchObject({ type: "unfinished", job: { id: job.id } })
    expect(findingOf(evidenceOf({}, [])).type).toBe("interrupted")
    expect(findingOf(evidenceOf(working, [question], taken)).type).toBe("interrupted")
    expect(findingOf(evidenceOf(working, [question], { ...taken, isRunning: true })).type).toBe("unfinished")
  })

  it.each<[string, Partial<Evidence>, Finding["type"]]>([
    ["moves on where jobs are to be resumed", { recover: "resume" }, "unfinished"],
    ["moves on where a reload has taken it over", { isTakenOver: true }, "unfinished"],
    ["has not failed of the first one otherwise: agents_send has it move on", {}, "interrupted"],
  ])("that was between two models, as the first was not available, %s", (_, more, type) => {
    const noKey = { message: "Invalid API key", statusCode: 401, isRetryable: false }
    const answer = answerTo(asked, "", { finish: "", error: { name: "APIError", data: noKey } })
    const { stored, ...rest } = evidenceOf({ ...working, run: 1 }, [question, answer], more)
    const between = findingOf({ ...rest, stored: { ...stored, fallbacks: [{ model: "fake/m3" }] } })
    expect(between).toMatchObject(
      type === "unfinished"
        ? { type, job: { id: job.id, fallbacks: [{ model: "fake/m3" }] } }
        : {
            type,
            record: {
              state: "failed",
              error: {
                kind: "interrupted",
                message:
                  "Invalid API key (HTTP 401). opencode ended before the next model was asked. agents_send continues it.",
              },
            },
          },
    )
    const needs = [{ id: "n", on: "done" as const }]
    const needing = { ...stored, record: { ...stored.record, needs }, fallbacks: [{ model: "fake/m3" }] }
    // What it needed, its first model was given.
    if (type === "unfinished")
      expect(findingOf({ ...rest, stored: needing })).toMatchObject({ job: { needs, hasBegun: true } })
    expect(findingOf({ ...rest, stored })).toMatchObject({
      type: "answered",
      record: { state: "failed", error: { kind: "provider" } },
    })
  })

  const [half, more] = [answerTo(asked, "half", { finish: "tool-calls" }), answerTo(asked, "")]
  const begun = answerTo(asked, "", { finish: "" })
  const whole = answerTo(asked, "the answer", { time: { created: 1, completed: 1_700_000 } })
  const words = {
    plain: "opencode ended while it ran. agents_send continues it.",
    lost: "opencode ended while it ran. What it had not finished writing is lost. agents_send continues it.",
  }

  it.each<[string, Partial<StoredRecord>, MessageWithParts[] | undefined, Finding["type"], object]>([
    // On record.
    ["done", done, undefined, "ended", { state: "done", endedAt: 1_500_000 }],
    [
      "cancelled",
      { state: "cancelled", error: cancel, endedAt: 1 },
      undefined,
      "ended",
      { state: "cancelled", error: cancel },
    ],
    [
      "decided as cancelled",
      { ...stopping, error: cancel, endedAt: askedAt + 9 },
      undefined,
      "decided",
      { state: "cancelled", error: cancel, endedAt: askedAt + 9 },
    ],
    [
      "decided by a clock that was set back",
      { ...stopping, error: cancel, startedAt: askedAt, endedAt: 9 },
      undefined,
      "decided",
      { state: "cancelled", error: cancel, endedAt: askedAt },
    ],
    [
      "decided as timed out",
      { ...stopping, error: idle },
      undefined,
      "decided",
      { state: "timedOut", error: idle, endedAt: now },
    ],
    [
      "decided as failed",
      { error: { kind: "prompt", message: "no" } },
      undefined,
      "decided",
      { state: "failed" },
    ],
    [
      "decided, though it has answered since",
      { ...stopping, error: cancel },
      [question, whole],
      "decided",
      { state: "cancelled" },
    ],
    // In its messages.
    [
      "answered",
      working,
      [...earlier, question, whole],
      "answered",
      { state: "done", text: "the answer", endedAt: 1_700_000 },
    ],
    [
      "answered as far as its model may write",
      working,
      [...earlier, question, answerTo(asked, "in the mid", { finish: "length" })],
      "answered",
      { state: "done", text: "in the mid", isTruncated: true },
    ],
    [
      "answered without a text",
      working,
      [...earlier, question, more],
      "answered",
      { state: "done", text: "" },
    ],
    [
      "refused by the provider",
      working,
      [...earlier, question, answerTo(asked, "", refused)],
      "answered",
      { state: "failed", error: { kind: "provider", message: "overloaded (HTTP 503)" }, text: "of run 1" },
    ],
    // In neither.
    [
      "never asked",
      {},
      [],
      "interrupted",
      { error: { kind: "interrupted", message: words.plain }, text: "" },
    ],
    [
      "asked, and not begun",
      working,
      [question],
      "interrupted",
      { error: { message: words.plain }, text: "" },
    ],
    [
      "at a tool, after some words",
      working,
      [question, half],
      "interrupted",
      { error: { message: words.plain }, text: "half", endedAt: now },
    ],
    [
      "aborted as its process ended",
      working,
      [question, answerTo(asked, "so far", aborted)],
      "interrupted",
      { state: "failed", text: "so far" },
    ],
    [
      "at a draft, after some words",
      working,
      [question, half, begun],
      "interrupted",
      { error: { message: words.lost }, text: "half" },
    ],
    [
      "at a draft, with an answer of the run before",
      working,
      [...earlier, question, begun],
      "interrupted",
      { error: { message: words.lost }, text: "of run 1" },
    ],
    [
      "answered in the run before alone",
      working,
      [...earlier, question],
      "interrupted",
      { error: { message: words.plain }, text: "of run 1" },
    ],
  ])("is found as it is: %s", (_, record, messages, type, fields) => {
    const finding = findingOf(evidenceOf(record, messages))
    expect(finding).toMatchObject({
      type,
      record: {
        id: "a",
        owner: "owner",
        run: 2,
        session: "ses_1",
        usage: { ...NO_USAGE, cost: 2 },
        ...fields,
      },
    })
    if (!("record" in finding)) return
    expect(finding.record).not.toHaveProperty("phase")
    expect(finding.record).not.toHaveProperty("deadlineAt")
    // What it wrote is with the child, where nothing is known of it here.
    if (!("text" in fields)) expect(finding.record).not.toHaveProperty("text")
  })

  it("has no text to show where all that it had written was a draft", () => {
    const finding = findingOf(evidenceOf(working, [question, begun]))
    expect(finding).toMatchObject({ type: "interrupted", record: { error: { message: words.lost } } })
    if ("record" in finding) expect(finding.record).not.toHaveProperty("text")
  })

  it.each<[string, MessageWithParts[], object]>([
    ["never asked, which lets it leave its session", [], { isUnasked: true }],
    ["at work", [question, half], {}],
    ["aborted as its process ended", [question, answerTo(asked, "so far", aborted)], {}],
  ])("is to run again as it was asked, where jobs are resumed: %s", (_, messages, fields) => {
    const ended = findingOf(evidenceOf(working, messages))
    expect(findingOf(evidenceOf(working, messages, { recover: "resume" }))).toEqual({
      type: "unfinished",
      job: { ...job, session: "ses_1", earlier: { usage: { ...NO_USAGE, cost: 2 } }, ...fields },
      // Where it cannot, it ends as it would where jobs are not resumed.
      interrupted: "record" in ended && ended.record,
    })
  })

  it("is found with what opencode's own subagents of its child had used, whatever becomes of it", () => {
    const subagents = [{ session: "ses_task", usage: { ...NO_USAGE, input: 5 } }]
    const found = (...given: Parameters<typeof evidenceOf>) => {
      const evidence = evidenceOf(...given)
      return findingOf({ ...evidence, stored: { ...evidence.stored, subagents } })
    }
    for (const finding of [
      found(done, undefined),
      found({ ...stopping, error: cancel }, undefined),
      found(working, [question, whole]),
      found(working, [question, half]),
    ])
      expect(finding).toMatchObject({ record: { subagents } })
    expect(found(working, [question, half], { recover: "resume" })).toMatchObject({
      type: "unfinished",
      job: { subagents },
      interrupted: { subagents },
    })
  })

  it("is not free to leave its session where something runs there, whose messages may only be on their way", () => {
    const finding = findingOf(evidenceOf(working, [], { recover: "resume", isRunning: true }))
    expect(finding).toMatchObject({ type: "unfinished", job: { id: job.id } })
    expect("job" in finding && finding.job).not.toHaveProperty("isUnasked")
  })

  it("is not to run again where it has ended, was decided or has answered", () => {
    const records = [done, { ...stopping, error: cancel }, working]
    const types = records.map(
      (record) => findingOf(evidenceOf(record, [question, whole], { recover: "resume" })).type,
    )
    expect(types).toEqual(["ended", "decided", "answered"])
  })
})

describe("Two sessions that one request has made, because it reached opencode twice", () => {
  const found = (
    id: string,
    updated: number,
    record: Partial<StoredRecord> = {},
    owner = "owner",
  ): FoundJob => {
    const stored: StoredJob = newStoredJob({ ...job, owner }, lease)
    return {
      child: decodeSession(sessionOf(id, { parentID: owner, time: { created: 0, updated } })),
      stored: { ...stored, record: { ...stored.record, ...record } },
      isHeld: false,
    }
  }
  const ids = (all: FoundJob[]) => onePerJob(all).map(({ child }) => child.id)

  it("are one job: the one that was used", () => {
    expect(ids([found("ses_used", 9), found("ses_empty", 1)])).toEqual(["ses_used"])
    expect(ids([found("ses_empty", 1), found("ses_used", 9)])).toEqual(["ses_used"])
  })

  it("are the one in which it ended, rather", () => {
    expect(ids([found("ses_empty", 9), found("ses_ended", 1, done)])).toEqual(["ses_ended"])
    expect(ids([found("ses_ended", 1, done), found("ses_empty", 9)])).toEqual(["ses_ended"])
  })

  it("are the one for the next model, where it has moved on to that, unless it ended in the other", () => {
    const attempts = [{ model: "fake/m1", error: { kind: "provider", message: "401" } as const }]
    const [left, next] = [found("ses_left", 9), found("ses_next", 1, { attempts })]
    expect([ids([left, next]), ids([next, left])]).toEqual([["ses_next"], ["ses_next"]])
    expect(ids([next, found("ses_left", 9, done)])).toEqual(["ses_left"])
  })

  it("are two where they are of two owners, and come in the order in which they were started", () => {
    const all = [found("ses_2", 1, { createdAt: 2 }), found("ses_1", 2, { createdAt: 1 }, "another")]
    expect(ids(all)).toEqual(["ses_1", "ses_2"])
  })
})

describe("A job that has to pass a check and that a process has left", () => {
  const hasToPass = { command: "npm test", attempts: 1 }
  const answer = answerTo(asked, "the answer", { time: { created: 1, completed: 1_700_000 } })
  const answerID = answer.info.id
  const red = { exitCode: 1, output: "1 failed", endedAt: 1_800_000 }
  const recheck = { ...asked, messageID: recheckID(asked.messageID, red.endedAt) }
  const second = answerTo(recheck, "the second answer", { time: { created: 1, completed: 1_900_000 } })
  const found = (
    checking: StoredJob["checking"],
    messages: MessageWithParts[],
    recover: Evidence["recover"],
    more: Partial<Evidence> = {},
  ) => {
    const evidence = evidenceOf(working, messages, { recover, ...more })
    return findingOf({ ...evidence, stored: { ...evidence.stored, hasToPass, checking } })
  }
  const both = ["fail", "resume"] as const

  it.each(both)(
    "fails where nobody saw the end of its check: it never runs twice for one answer (%s)",
    (recover) => {
      const begun = { answer: answerID, round: 1 }
      expect(found(begun, [question, answer], recover, { isTakenOver: true })).toMatchObject({
        type: "decided",
        record: {
          state: "failed",
          error: {
            kind: "check",
            message:
              'opencode stopped while "npm test" ran, and a check never runs twice for one answer: whether it passes ' +
              "is not known. agents_send has the child go on and its next answer checked.",
          },
          check: { command: "npm test", rounds: 1, output: "" },
        },
      })
    },
  )

  it.each(both)("has the commit on record that its check has begun to check (%s)", (recover) => {
    const worktree = { directory: "/w/a", branch: "troupe/s/a", base: "0".repeat(40), commit: "1".repeat(40) }
    const begun = { answer: answerID, round: 1, worktree }
    expect(found(begun, [question, answer], recover)).toMatchObject({ record: { worktree } })
  })

  it.each(both)("is done where its check has passed (%s)", (recover) => {
    const passed = { answer: answerID, round: 1, result: { ...red, exitCode: 0 } }
    expect(found(passed, [question, answer], recover)).toMatchObject({
      type: "answered",
      record: { state: "done", text: "the answer", check: { exitCode: 0, rounds: 1 } },
    })
  })

  it.each(both)("has failed where its child was told as often as it may be (%s)", (recover) => {
    const last = { answer: second.info.id, round: 2, result: red }
    const messages = [question, answer, askedBy(recheck), second]
    expect(found(last, messages, recover)).toMatchObject({
      type: "answered",
      record: {
        state: "failed",
        text: "the second answer",
        error: { kind: "check", message: '"npm test" exited with 1, in the last of 2 rounds' },
        check: { exitCode: 1, rounds: 2, output: "1 failed" },
      },
    })
  })

  it("says what was missing, and what to do, where nobody has begun to check its answer", () => {
    expect(found(undefined, [question, answer], "fail")).toMatchObject({
      record: {
        error: {
          kind: "interrupted",
          message:
            'opencode ended before "npm test" could show whether its answer passes. agents_send has the child go on ' +
            "and its next answer checked.",
        },
      },
    })
  })

  it("has nothing to tell its child of a check that has passed", () => {
    const passed = { answer: answerID, round: 1, result: { ...red, exitCode: 0 } }
    const next = found(passed, [question, answer, askedBy(recheck)], "resume")
    expect(next.type === "unfinished" && next.job.checked).toBeUndefined()
  })

  it.each<[string, StoredJob["checking"], MessageWithParts[], object | undefined]>([
    ["its answer is there and nobody has begun to check it", undefined, [question, answer], undefined],
    [
      "its child is to be told",
      { answer: answerID, round: 1, result: red },
      [question, answer],
      { ...red, round: 1 },
    ],
    [
      "its child was told",
      { answer: answerID, round: 1, result: red },
      [question, answer, askedBy(recheck)],
      { ...red, round: 1 },
    ],
    [
      "its child was told and has answered",
      { answer: answerID, round: 1, result: red },
      [question, answer, askedBy(recheck), second],
      { ...red, round: 1 },
    ],
  ])(
    "goes on where %s, and is interrupted where nothing goes on by itself",
    (_, checking, messages, checked) => {
      const resumed = found(checking, messages, "resume")
      expect(resumed).toMatchObject({ type: "unfinished", job: { hasToPass, askedAt } })
      expect(resumed.type === "unfinished" && resumed.job.checked).toEqual(checked)
      expect(found(checking, messages, "fail")).toMatchObject({
        type: "interrupted",
        record: { state: "failed", error: { kind: "interrupted" } },
      })
    },
  )
})
