import { beforeAll, describe, expect, it } from "vitest"
import { createActor, fromPromise, type SnapshotFrom } from "xstate"
import {
  type CheckInput,
  type TurnAnswer,
  type TurnEvent,
  type TurnInput,
  turnMachine,
} from "../../../src/plugin/children/turn-machine.ts"
import type { Prompt } from "../../../src/plugin/host/port.ts"
import { repairID } from "../../../src/plugin/host/prompt-ids.ts"
import type { Checked } from "../../../src/plugin/records/checked.ts"
import { settled } from "../../machines/support/play.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { transitionsOf } from "../../machines/support/transitions.ts"
import {
  drive,
  everyStep,
  plainTurn,
  turnWithSchema,
  withOneMessage,
  withSchema,
  withTwoMessages,
} from "./support/turn-walk.ts"

quietXState()

type Found = { answer?: TurnAnswer | undefined }

const prompt = (messageID: string): Prompt => ({
  session: "ses_1",
  messageID,
  text: `the text of ${messageID}`,
  agent: "general",
})

/** A turn whose effects the test plays. */
function turn({ schema }: Pick<TurnInput, "schema"> = {}) {
  const asked: string[] = []
  const checked: CheckInput[] = []
  const calls: Record<
    "ask" | "find" | "check",
    { resolve(answer: unknown): void; reject(error: unknown): void }[]
  > = {
    ask: [],
    find: [],
    check: [],
  }
  const called = (name: keyof typeof calls) =>
    new Promise<Found & TurnAnswer & Checked>((resolve, reject) => {
      calls[name].push({ resolve: resolve as (answer: unknown) => void, reject })
    })
  const actor = createActor(
    turnMachine.provide({
      actors: {
        ask: fromPromise(({ input }) => {
          asked.push(input.messageID)
          return called("ask")
        }),
        findAnswer: fromPromise<Found, Prompt>(() => called("find")),
        check: fromPromise<Checked, CheckInput>(({ input }) => {
          checked.push(input)
          return called("check")
        }),
      },
    }),
    { input: { prompt: prompt("first"), schema } },
  ).start()
  const snapshot = (): SnapshotFrom<typeof turnMachine> => actor.getSnapshot()
  return {
    asked,
    checked,
    send: (event: TurnEvent) => actor.send(event),
    tell: (id: string, at = 1) => actor.send({ type: "message.told", prompt: prompt(id), at }),
    state: () => snapshot().value,
    context: () => snapshot().context,
    draft: () => snapshot().context.draft.text,
    async answer(text: string, error?: TurnAnswer["error"]) {
      calls.ask.at(-1)?.resolve(error ? { text, error } : { text })
      await settled()
    },
    async answered(answer: TurnAnswer) {
      calls.ask.at(-1)?.resolve(answer)
      await settled()
    },
    async fail(thrown: string | Error) {
      calls.ask.at(-1)?.reject(thrown instanceof Error ? thrown : { kind: "prompt", message: thrown })
      await settled()
    },
    async check(outcome: Checked | Error) {
      if (outcome instanceof Error) calls.check.at(-1)?.reject(outcome)
      else calls.check.at(-1)?.resolve(outcome)
      await settled()
    },
    async find(text?: string) {
      calls.find.at(-1)?.resolve({ answer: text === undefined ? undefined : { text } })
      await settled()
    },
    async findNothing() {
      calls.find.at(-1)?.reject(new Error("no answer"))
      await settled()
    },
  }
}

describe("A child's turn", () => {
  it("is over with its answer", async () => {
    const { state, answer, context } = turn()
    expect(state()).toEqual({ asking: "waiting" })
    await answer("the answer")
    expect([state(), context().answer]).toEqual(["over", { text: "the answer" }])
  })

  it("goes on with what the child was told and opencode has taken, in that order", async () => {
    const { asked, tell, send, answer, state, context } = turn()
    tell("second", 5)
    tell("third", 6)
    send({ type: "message.sent", messageID: "second" })
    send({ type: "message.sent", messageID: "third" })
    await answer("one")
    await answer("two")
    expect(state()).toEqual({ asking: "waiting" })
    await answer("three")
    expect(asked).toEqual(["first", "second", "third"])
    expect([state(), context().answer, context().lastAt]).toEqual(["over", { text: "three" }, 6])
  })

  it("waits for what is still being sent, and asks for it only once it is", async () => {
    const { asked, tell, send, answer, state } = turn()
    tell("second")
    await answer("one")
    expect([state(), asked]).toEqual(["answered", ["first"]])
    send({ type: "message.sent", messageID: "second" })
    expect([state(), asked]).toEqual([{ asking: "waiting" }, ["first", "second"]])
  })

  it("waits for the first of what is being sent, although a later one has been sent", async () => {
    const { asked, tell, send, answer, state } = turn()
    tell("second")
    tell("third")
    send({ type: "message.sent", messageID: "third" })
    await answer("one")
    expect([state(), asked]).toEqual(["answered", ["first"]])
  })

  it("goes on with the others where opencode refused one of them", async () => {
    const { asked, tell, send, answer } = turn()
    tell("second")
    tell("third")
    send({ type: "message.refused", messageID: "second" })
    send({ type: "message.sent", messageID: "third" })
    await answer("one")
    expect(asked).toEqual(["first", "third"])
  })

  it("never asks for what opencode refused", async () => {
    const { asked, tell, send, answer, state, context } = turn()
    tell("second")
    await answer("one")
    send({ type: "message.refused", messageID: "second" })
    expect([state(), asked, context().answer]).toEqual(["over", ["first"], { text: "one" }])
  })

  it("ends with the first error of the model, whatever it was told", async () => {
    const { asked, tell, send, answer, state } = turn()
    tell("second")
    send({ type: "message.sent", messageID: "second" })
    await answer("half", { kind: "provider", message: "no" })
    expect([state(), asked]).toEqual(["over", ["first"]])
  })

  it("takes the answer from the child's messages where the call failed", async () => {
    const { fail, find, state, context } = turn()
    await fail("connection reset")
    expect(state()).toBe("inDoubt")
    await find("it was there")
    expect([state(), context().answer]).toEqual(["over", { text: "it was there" }])
  })

  it.each(["find", "findNothing"] as const)(
    "fails with the call's own words where the messages have none (%s)",
    async (how) => {
      const { fail, state, context, ...plays } = turn()
      await fail("connection reset")
      await plays[how]()
      expect([state(), context().failure]).toEqual([
        "failed",
        { kind: "prompt", message: "connection reset" },
      ])
    },
  )

  it("fails with what was thrown where that has no words of opencode", async () => {
    const { fail, find, context } = turn()
    await fail(new Error("a defect"))
    await find()
    expect(context().failure).toEqual({ kind: "prompt", message: "Error: a defect" })
  })

  it("looks for its answer when the child has been idle for long, and goes on waiting where it is not there", async () => {
    const { send, find, findNothing, state, context } = turn()
    send({ type: "answer.look" })
    expect(state()).toEqual({ asking: "looking" })
    await find()
    expect(state()).toEqual({ asking: "waiting" })
    send({ type: "answer.look" })
    await findNothing()
    expect(state()).toEqual({ asking: "waiting" })
    send({ type: "answer.look" })
    await find("lost on its way")
    expect([state(), context().answer]).toEqual(["over", { text: "lost on its way" }])
  })

  it("is dropped when nobody waits for it any more, and keeps what was written", () => {
    const { send, state, draft } = turn()
    send({ type: "text.opened", part: "p1" })
    send({ type: "text.streamed", part: "p1", delta: "So far" })
    send({ type: "turn.drop" })
    expect([state(), draft()]).toEqual(["dropped", "So far"])
  })
})

describe("A turn whose answer has to fit", () => {
  const schema = { type: "number" }
  const problems = ["the value is true: it must be a number"]

  it("is over with the data that was asked for, as JSON and as it is", async () => {
    const { answer, check, checked, state, context } = turn({ schema })
    await answer("It is 7.")
    expect([state(), checked]).toEqual(["checking", [{ schema, text: "It is 7." }]])
    await check({ value: 7 })
    expect([state(), context().answer]).toEqual(["over", { text: "7", structured: 7 }])
  })

  it("is corrected once for each prompt, by a message that is later than the answer and than all it was told", async () => {
    const { asked, tell, send, answered, check, state, context } = turn({ schema })
    await answered({ text: "true", at: 500 })
    await check({ problems })
    expect(context()).toMatchObject({
      asked: {
        ...prompt("first"),
        messageID: repairID("first", 500),
        text: expect.stringContaining(problems.join()),
      },
      lastAt: 501,
    })
    tell("second", 900)
    send({ type: "message.sent", messageID: "second" })
    await answered({ text: "still true", at: 600 })
    await answered({ text: "true, I say", at: 800 })
    await check({ problems })
    expect(asked).toEqual(["first", repairID("first", 500), "second", repairID("second", 900)])
    await answered({ text: "true", at: 950 })
    await check({ problems })
    expect([state(), context().answer?.error]).toEqual([
      "over",
      { kind: "schema", message: `its answer does not fit: ${problems.join()}` },
    ])
  })

  it("goes on with what it was told while its answer was checked: the last one has to fit", async () => {
    const { asked, tell, send, answer, check, state, context } = turn({ schema })
    await answer("7")
    tell("second")
    send({ type: "message.sent", messageID: "second" })
    await check({ value: 7 })
    expect([state(), asked]).toEqual([{ asking: "waiting" }, ["first", "second"]])
    await answer("8")
    await check({ value: 8 })
    expect([state(), context().answer]).toEqual(["over", { text: "8", structured: 8 }])
  })

  it("fails at once where opencode answers with what was corrected before a crash", async () => {
    const { asked, answered, check, state } = turn({ schema })
    await answered({ text: "true", answers: ["first", repairID("first", 3)] })
    await check({ problems })
    expect([state(), asked]).toEqual(["over", ["first"]])
  })

  it("fails where it cannot be checked, and says why", async () => {
    const { answer, check, state, context } = turn({ schema })
    await answer("7")
    await check(new Error("out of memory"))
    expect([state(), context().answer]).toEqual([
      "over",
      {
        text: "7",
        error: {
          kind: "schema",
          message: "its answer does not fit: it could not be checked (Error: out of memory)",
        },
      },
    ])
  })
})

describe("What a child is writing", () => {
  it("is the text that has come of its latest part", () => {
    const { send, draft } = turn()
    expect(draft()).toBe("")
    send({ type: "text.opened", part: "p1" })
    send({ type: "text.streamed", part: "p1", delta: "So " })
    send({ type: "text.streamed", part: "p1", delta: "far." })
    expect(draft()).toBe("So far.")
  })

  it("is not what it thinks in between", () => {
    const { send, draft } = turn()
    send({ type: "text.opened", part: "p1" })
    send({ type: "text.streamed", part: "p1", delta: "So far" })
    send({ type: "text.streamed", part: "thought", delta: "hm" })
    send({ type: "text.streamed", part: "p1", delta: "." })
    expect(draft()).toBe("So far.")
  })

  it("stays until the next attempt has words of its own, which take its place", () => {
    const { send, draft } = turn()
    send({ type: "text.opened", part: "p1" })
    send({ type: "text.streamed", part: "p1", delta: "of the first attempt" })
    send({ type: "text.opened", part: "p2" })
    expect(draft()).toBe("of the first attempt")
    send({ type: "text.streamed", part: "p1", delta: ", late" })
    expect(draft()).toBe("of the first attempt")
    send({ type: "text.streamed", part: "p2", delta: "of the second" })
    expect(draft()).toBe("of the second")
  })
})

describe("Every event in every state of a turn", () => {
  const taken = new Set<string>()

  // Once with a real actor, and once through the pure machine with a snapshot that goes through JSON after every step.
  beforeAll(async () => {
    for (const [alphabet, input] of [
      [withOneMessage, plainTurn],
      [withTwoMessages, plainTurn],
      [withSchema, turnWithSchema],
    ] as const)
      for (const steps of everyStep(alphabet, input))
        for (const name of await drive(steps, input)) taken.add(name)
  }, 60_000)

  it.each(transitionsOf(turnMachine))("takes %s, the same in life and on paper", (name) => {
    expect(taken).toContain(name)
  })
})
