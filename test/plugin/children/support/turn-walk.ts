import { setImmediate as afterMicrotasks } from "node:timers/promises"
import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import { createActor, fromPromise, initialTransition, type SnapshotFrom, transition } from "xstate"
import { adjacencyMapToArray, getAdjacencyMap, getShortestPaths } from "xstate/graph"
import {
  type Ask,
  type CheckAnswer,
  type CheckInput,
  type FindAnswer,
  type TurnEvent,
  type TurnInput,
  turnMachine,
} from "../../../../src/plugin/children/turn-machine.ts"
import type { Prompt } from "../../../../src/plugin/host/port.ts"
import { isRepairOf, repairID } from "../../../../src/plugin/host/prompt-ids.ts"
import { takenIn } from "../../../machines/support/transitions.ts"

type TurnSnapshot = SnapshotFrom<typeof turnMachine>
type CallName = "ask" | "findAnswer" | "findAnswerInDoubt" | "check"

/** What a turn's machine hears, from outside and from its calls alike. */
type WalkEvent =
  | TurnEvent
  | { type: `xstate.done.actor.${CallName}`; actorId: CallName; output: object }
  | { type: `xstate.error.actor.${CallName}`; actorId: CallName; error: object }

const prompt = (messageID: string): Prompt => ({
  session: "ses_1",
  messageID,
  text: `the text of ${messageID}`,
  agent: "general",
})

export const plainTurn: TurnInput = { prompt: prompt("first") }
export const turnWithSchema: TurnInput = { ...plainTurn, schema: { type: "number" } }

const told = (id: string, at: number): WalkEvent => ({ type: "message.told", prompt: prompt(id), at })
const done = (call: CallName, output: object): WalkEvent => ({
  type: `xstate.done.actor.${call}`,
  actorId: call,
  output,
})
const failed = (call: CallName): WalkEvent => ({
  type: `xstate.error.actor.${call}`,
  actorId: call,
  error: { kind: "prompt", message: `${call} was cut off` },
})

/** All that can happen to a turn. */
const happenings = {
  "it is told more": told("second", 5),
  "it is told still more": told("third", 6),
  "opencode takes that": { type: "message.sent", messageID: "second" },
  "opencode takes the third": { type: "message.sent", messageID: "third" },
  "opencode refuses that": { type: "message.refused", messageID: "second" },
  "opencode refuses the third": { type: "message.refused", messageID: "third" },
  "a text begins": { type: "text.opened", part: "p1" },
  "a text grows": { type: "text.streamed", part: "p1", delta: "word " },
  "the child is idle": { type: "answer.look" },
  "nobody waits any more": { type: "turn.drop" },
  "the child answers": done("ask", { text: "the answer" }),
  "the model fails": done("ask", { text: "half", error: { kind: "provider", message: "overloaded" } }),
  "the call breaks off": failed("ask"),
  "the answer is found": done("findAnswer", { answer: { text: "found" } }),
  "no answer is found": done("findAnswer", {}),
  "the messages cannot be read": failed("findAnswer"),
  "the answer is found after all": done("findAnswerInDoubt", { answer: { text: "found" } }),
  "no answer is found either": done("findAnswerInDoubt", {}),
  "the messages cannot be read either": failed("findAnswerInDoubt"),
  "opencode returns what corrects the answer": done("ask", { text: "7", answers: [repairID("first", 3)] }),
  "the answer fits": done("check", { value: 7 }),
  "the answer does not fit": done("check", { problems: ["the value must be number"] }),
  "the answer cannot be checked": failed("check"),
} satisfies Record<string, WalkEvent>

export type HappeningName = keyof typeof happenings

/** What one message may be behind another for. */
const ofTheThird: readonly HappeningName[] = [
  "it is told still more",
  "opencode takes the third",
  "opencode refuses the third",
]
/** What comes to nothing where no schema is to be fitted. */
const ofSchemas: readonly HappeningName[] = [
  "opencode returns what corrects the answer",
  "the answer fits",
  "the answer does not fit",
  "the answer cannot be checked",
]
/** All that can happen to a turn that is told one thing at most. */
export const withOneMessage = (Object.keys(happenings) as HappeningName[]).filter(
  (name) => ![...ofTheThird, ...ofSchemas].includes(name),
)
/** The same for one with a schema; what it writes and how calls break off is not about that. */
export const withSchema: readonly HappeningName[] = [
  ...ofSchemas,
  "it is told more",
  "opencode takes that",
  "opencode refuses that",
  "nobody waits any more",
  "the child answers",
  "the model fails",
  "the call breaks off",
  "the answer is found after all",
]
/** What decides in which order a turn asks for what it was told. */
export const withTwoMessages: readonly HappeningName[] = [
  "it is told more",
  "opencode takes that",
  "opencode refuses that",
  ...ofTheThird,
  "the child answers",
  "the model fails",
]

/** Everything of this that can happen in every state of a turn, which a shortest way leads to. */
export function everyStep(alphabet: readonly HappeningName[], input: TurnInput): HappeningName[][] {
  const options = {
    input,
    // xstate types only what comes from outside; what it sends itself is an event like any other in a walk.
    events: alphabet.map((name) => ({ ...happenings[name], name })) as unknown as TurnEvent[],
    serializeState,
    filterEvents: (snapshot: TurnSnapshot, event: TurnEvent) =>
      snapshot.status === "active" && isPossible(snapshot, event),
  }
  const ways = new Map(
    getShortestPaths(turnMachine, options).map(({ state, steps }) => [
      serializeState(state),
      steps.slice(1).map(({ event }) => nameOf(event)),
    ]),
  )
  return adjacencyMapToArray(getAdjacencyMap(turnMachine, options)).map(({ state, event }) => [
    ...(ways.get(serializeState(state)) ?? []),
    nameOf(event),
  ])
}

const nameOf = (event: object) => (event as unknown as { name: HappeningName }).name

/** What it writes leads nowhere else. */
function serializeState({ value, context }: TurnSnapshot): string {
  const messages = context.told.map(({ prompt: { messageID }, isSent }) => [messageID, isSent])
  return JSON.stringify([value, context.asked.messageID, messages, context.answer?.error !== undefined])
}

/** Calls end only where they run, and no message comes twice. Whatever else comes from outside may come at any time. */
function isPossible({ _nodes, context }: TurnSnapshot, event: TurnEvent): boolean {
  if (event.type.startsWith("xstate.")) {
    return _nodes.some(({ ownEvents }) => ownEvents.some((own) => own === event.type))
  }
  if (event.type !== "message.told") return true
  const known = [context.asked, ...context.told.map((each) => each.prompt)]
  const { messageID } = event.prompt
  return known.every((each) => each.messageID !== messageID && !isRepairOf(each.messageID, messageID))
}

/**
 * Lets the steps happen twice, to a real actor and to the pure machine, whose snapshot goes through JSON after every
 * step, and compares them: state, context, calls made and in flight. Returns the transitions that the actor took.
 */
export async function drive(steps: readonly HappeningName[], input: TurnInput): Promise<Set<string>> {
  const [real, pure] = [new RealRun(input), new PureRun(input)]
  const sent = new Set(["first"])
  const compare = () => {
    const [inLife, onPaper] = [real.seen(), pure.seen()]
    if (!isDeepStrictEqual(inLife, onPaper)) expect(inLife, steps.join(", ")).toEqual(onPaper)
  }

  compare()
  for (const name of steps) {
    const event: WalkEvent = happenings[name]
    if (event.type === "message.sent") sent.add(event.messageID)
    await real.happen(event)
    pure.happen(event)
    compare()

    const { value, status, context, calls, inFlight } = real.seen()
    const asked = calls.filter(({ call }) => call === "ask").map(({ messageID }) => messageID)
    const corrected = asked.filter((id) => [...sent].some((prompt) => isRepairOf(id, prompt)))
    const isUnproven = input.schema && context.answer?.structured === undefined
    const broken = [
      ...(new Set(asked).size < asked.length ? ["it asks for something twice"] : []),
      ...(asked.some((id) => !sent.has(id) && !corrected.includes(id))
        ? ["it asks for what opencode has not taken"]
        : []),
      ...(new Set(corrected.map((id) => id.slice(-14))).size < corrected.length
        ? ["it has an answer corrected twice"]
        : []),
      ...(value === "over" && isUnproven && !context.answer?.error
        ? ["it has succeeded with an answer that does not fit"]
        : []),
      ...(status === "done" && inFlight.length > 0 ? [`${inFlight} is left of it`] : []),
      ...(value === "over" && !context.answer ? ["it is over without an answer"] : []),
      ...(value === "over" && !context.answer?.error && context.told.length > 0
        ? ["it is over before all is answered"]
        : []),
      ...(value === "failed" && !context.failure ? ["it has failed without a reason"] : []),
    ]
    if (broken.length > 0) expect(broken, steps.join(", ")).toEqual([])
  }
  return real.taken
}

/** What both runs must agree on. */
type Seen = Pick<TurnSnapshot, "value" | "status" | "context"> & {
  calls: { call: string; messageID: string }[]
  inFlight: string[]
}

const json = <T>(value: T): T => JSON.parse(JSON.stringify(value))

type Call = { signal: AbortSignal; resolve(output: object): void; reject(error: unknown): void }

class RealRun {
  readonly taken = new Set<string>()
  readonly #calls: Seen["calls"] = []
  readonly #inFlight = new Map<string, Call>()
  readonly #actor

  constructor(input: TurnInput) {
    const called = fromPromise<object, Prompt | CheckInput>(({ input, signal, self: { id } }) => {
      this.#calls.push({ call: id, messageID: aboutIn(input) })
      return new Promise((resolve, reject) => {
        const call: Call = { signal, resolve, reject }
        this.#inFlight.set(id, call)
        signal.addEventListener("abort", () => {
          if (this.#inFlight.get(id) === call) this.#inFlight.delete(id)
        })
      })
    })
    const actors = {
      ask: called as Ask,
      findAnswer: called as FindAnswer,
      check: called as unknown as CheckAnswer,
    }
    this.#actor = createActor(turnMachine.provide({ actors }), {
      input,
      inspect: (inspected) => {
        for (const name of takenIn(inspected)) this.taken.add(name)
      },
    }).start()
  }

  async happen(event: WalkEvent): Promise<void> {
    if (!("actorId" in event)) {
      this.#actor.send(event)
      return
    }
    const call = this.#inFlight.get(event.actorId)
    if (!call) throw new Error(`${event.actorId} is not under way`)
    this.#inFlight.delete(event.actorId)
    if ("output" in event) call.resolve(event.output)
    else call.reject(event.error)
    await afterMicrotasks()
  }

  seen(): Seen {
    const { value, status, context } = this.#actor.getSnapshot()
    const inFlight = [...this.#inFlight.keys()]
    return { value, status, context: json(context), calls: [...this.#calls], inFlight: inFlight.sort() }
  }
}

/** What a call is about: the message, or the answer. */
const aboutIn = (input: Prompt | CheckInput) => ("messageID" in input ? input.messageID : input.text)

class PureRun {
  readonly #input: TurnInput
  #snapshot: TurnSnapshot
  readonly #calls: Seen["calls"] = []
  readonly #inFlight = new Set<string>()

  constructor(input: TurnInput) {
    this.#input = input
    const [snapshot, actions] = initialTransition(turnMachine, input)
    this.#snapshot = snapshot
    this.#note(actions)
  }

  happen(event: WalkEvent): void {
    if ("actorId" in event) this.#inFlight.delete(event.actorId)
    const [snapshot, actions] = transition(
      turnMachine,
      throughJson(this.#snapshot, this.#input),
      event as TurnEvent,
    )
    this.#snapshot = snapshot
    this.#note(actions)
  }

  seen(): Seen {
    const { value, status, context } = this.#snapshot
    const inFlight = [...this.#inFlight]
    return { value, status, context: json(context), calls: [...this.#calls], inFlight: inFlight.sort() }
  }

  #note(actions: readonly { type: string; params: unknown }[]): void {
    for (const { type, params } of actions) {
      const { id, input } = params as { id: string; input: Prompt | CheckInput }
      if (type === "xstate.stopChild") this.#inFlight.delete(id)
      if (type === "xstate.spawnChild") {
        this.#calls.push({ call: id, messageID: aboutIn(input) })
        this.#inFlight.add(id)
      }
    }
  }
}

/** As a durable engine keeps it between two steps. */
function throughJson(snapshot: TurnSnapshot, input: TurnInput): TurnSnapshot {
  const kept = json(turnMachine.getPersistedSnapshot(snapshot))
  return createActor(turnMachine, { snapshot: kept, input }).getSnapshot()
}
