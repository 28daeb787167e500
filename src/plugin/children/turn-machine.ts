import { type ActorRefFrom, assign, type PromiseActorLogic, setup } from "xstate"
import { type Answer, notProvided } from "../../machines/effects.ts"
import type { Reasons } from "../../machines/reasons.ts"
import { JobError } from "../../machines/record.ts"
import type { Prompt } from "../host/port.ts"
import { isRepairOf, repairID } from "../host/prompt-ids.ts"
import { type Checked, unfit } from "../records/checked.ts"
import { repairOf, type Schema } from "./schema/schemas.ts"

/** What a child was asked first in this run, and the JSON Schema that its answer has to fit. */
export type TurnInput = { prompt: Prompt; schema?: Schema | undefined }

export type TurnAnswer = Omit<Answer, "usage" | "message"> & {
  /** The messages whose turn it belongs to. */
  answers?: string[]
  /** When it was given, epoch milliseconds. */
  at?: number
  /** Its message. */
  id?: string
}

/** Plain JSON. */
export type TurnContext = {
  /** The prompt whose answer is waited for. */
  asked: Prompt
  schema?: Schema | undefined
  /** Whether `asked` corrects an answer that did not fit the schema. */
  isRepair?: boolean
  /** What the child was told since and has not answered, in that order. */
  told: Told[]
  /** The latest time for which a message got its ids, epoch milliseconds: no two may have the same. */
  lastAt: number
  answer?: TurnAnswer | undefined
  failure?: JobError
  draft: Draft
}

/** `isSent`: opencode has taken it, or may have. */
type Told = { prompt: Prompt; isSent: boolean }

/**
 * The text that the child streams. opencode keeps a text once it is complete or its turn ends; that of a stream that
 * broke off it drops when it tries again.
 */
type Draft = {
  /** The latest text of which anything has come. */
  text: string
  /** The part that `text` is of. */
  part?: string
  /** The latest text part; the child may think, in parts of another kind, in between. */
  open?: string
}

export type TurnEvent =
  | { type: "message.told"; prompt: Prompt; at: number }
  | { type: "message.sent" | "message.refused"; messageID: string }
  /** The child is idle although its prompt has not returned. */
  | { type: "answer.look" }
  | { type: "text.opened"; part: string }
  | { type: "text.streamed"; part: string; delta: string }
  /** Nobody waits for the answer any more. */
  | { type: "turn.drop" }

/** Returns what the child's turn ended with, however long that takes. Rejects with a `JobError` where the call failed. */
export type Ask = PromiseActorLogic<TurnAnswer, Prompt>
export type CheckInput = { schema: Schema; text: string }
/** What of an answer fits the schema, or what is wrong with it. */
export type CheckAnswer = PromiseActorLogic<Checked, CheckInput>
/** What the child's messages have as the answer to a prompt, if they have it. */
export type FindAnswer = PromiseActorLogic<{ answer?: TurnAnswer | undefined }, Prompt>

/**
 * What a child is asked in one run of its job, and what it is told meanwhile. A message that comes too late for the
 * running turn gets a turn of its own: asking by the same ids joins that one, or returns its answer.
 */
export const turnMachine = setup({
  types: {
    input: {} as TurnInput,
    context: {} as TurnContext,
    events: {} as TurnEvent,
  },
  actors: {
    ask: notProvided as Ask,
    findAnswer: notProvided as FindAnswer,
    check: notProvided as CheckAnswer,
  },
  guards: {
    found: (_, { answer }: { answer?: TurnAnswer | undefined }) => answer !== undefined,
    "ended with an error": ({ context }) => context.answer?.error !== undefined,
    "was told nothing more": ({ context }) => context.told.length === 0,
    "was told nothing more and has to fit": ({ context }) =>
      context.told.length === 0 && context.schema !== undefined,
    "was told more": ({ context }) => context.told.length > 0,
    fits: (_, checked: Checked) => "value" in checked,
    // One chance for each prompt. After a crash opencode may answer the first with what corrects its answer.
    "may be corrected": ({ context: { asked, isRepair, answer } }) =>
      !isRepair && !answer?.answers?.some((id) => isRepairOf(id, asked.messageID)),
    "the next message is sent": ({ context }) => context.told[0]?.isSent === true,
  },
  actions: {
    addMessage: assign({
      told: ({ context }, { prompt }: { prompt: Prompt; at: number }) => [
        ...context.told,
        { prompt, isSent: false },
      ],
      lastAt: (_, { at }: { prompt: Prompt; at: number }) => at,
    }),
    markSent: assign({
      told: ({ context }, { messageID }: { messageID: string }) =>
        context.told.map((each) => (each.prompt.messageID === messageID ? { ...each, isSent: true } : each)),
    }),
    removeMessage: assign({
      told: ({ context }, { messageID }: { messageID: string }) =>
        context.told.filter(({ prompt }) => prompt.messageID !== messageID),
    }),
    keepAnswer: assign((_, { answer }: { answer?: TurnAnswer | undefined }) => ({ answer })),
    rememberFailure: assign((_, { error }: { error: unknown }) => ({ failure: errorOf(error) })),
    askNext: assign(({ context }) => {
      const [next, ...told] = context.told
      return next ? { asked: next.prompt, told, isRepair: false } : {}
    }),
    askRepair: assign(({ context: { asked, answer, lastAt } }, checked: Checked) => {
      const at = Math.max(answer?.at ?? 0, lastAt)
      const messageID = repairID(asked.messageID, at)
      const text = repairOf("problems" in checked ? checked.problems : [])
      return { asked: { ...asked, messageID, text }, isRepair: true, lastAt: at + 1 }
    }),
    keepStructured: assign(({ context: { answer } }, checked: Checked) =>
      answer && "value" in checked
        ? { answer: { ...answer, text: JSON.stringify(checked.value), structured: checked.value } }
        : {},
    ),
    failUnfit: assign(({ context: { answer } }, { problems }: { problems: string[] }) =>
      answer ? { answer: { ...answer, error: unfit(problems) } } : {},
    ),
    openText: assign({
      draft: ({ context }, { part }: { part: string }) => ({ ...context.draft, open: part }),
    }),
    growDraft: assign({
      draft: ({ context: { draft } }, { part, delta }: { part: string; delta: string }) => {
        if (draft.open !== part) return draft
        // The first words of an attempt take the place of those that came to nothing.
        return { ...draft, part, text: draft.part === part ? draft.text + delta : delta }
      },
    }),
  },
}).createMachine({
  id: "turn",
  description:
    "What a child is asked in one run of its job, what it is told meanwhile, and what it is writing.",
  context: ({ input: { prompt, schema } }) => ({
    asked: prompt,
    schema,
    told: [],
    lastAt: 0,
    draft: { text: "" },
  }),
  on: {
    "message.told": { actions: { type: "addMessage", params: ({ event }) => event } },
    "message.sent": { actions: { type: "markSent", params: ({ event }) => event } },
    "message.refused": { actions: { type: "removeMessage", params: ({ event }) => event } },
    "text.opened": { actions: { type: "openText", params: ({ event }) => event } },
    "text.streamed": { actions: { type: "growDraft", params: ({ event }) => event } },
    "turn.drop": ".dropped",
  },
  initial: "asking",
  states: {
    asking: {
      description: "A prompt is under way. Its call returns when the child's turn is over.",
      invoke: {
        id: "ask",
        src: "ask",
        input: ({ context }) => context.asked,
        onDone: {
          target: "answered",
          actions: { type: "keepAnswer", params: ({ event }) => ({ answer: event.output }) },
        },
        onError: {
          target: "inDoubt",
          actions: { type: "rememberFailure", params: ({ event }) => event },
        },
      },
      initial: "waiting",
      states: {
        waiting: { description: "The child works.", on: { "answer.look": "looking" } },
        looking: {
          description: "The child is idle: its answer may have got lost on its way.",
          invoke: {
            id: "findAnswer",
            src: "findAnswer",
            input: ({ context }) => context.asked,
            onDone: [
              {
                guard: { type: "found", params: ({ event }) => event.output },
                target: "#turn.answered",
                actions: { type: "keepAnswer", params: ({ event }) => event.output },
              },
              { target: "waiting" },
            ],
            onError: "waiting",
          },
        },
      },
    },
    inDoubt: {
      description: "The call failed, which says nothing about the child, so its messages decide.",
      invoke: {
        id: "findAnswerInDoubt",
        src: "findAnswer",
        input: ({ context }) => context.asked,
        onDone: [
          {
            guard: { type: "found", params: ({ event }) => event.output },
            target: "answered",
            actions: { type: "keepAnswer", params: ({ event }) => event.output },
          },
          { target: "failed" },
        ],
        onError: "failed",
      },
    },
    answered: {
      description:
        "A turn of the child is over. A message that came too late for it gets a turn of its own, as soon as it is sent.",
      always: [
        { guard: "ended with an error", target: "over" },
        { guard: "was told nothing more and has to fit", target: "checking" },
        { guard: "was told nothing more", target: "over" },
        { guard: "the next message is sent", target: "asking", actions: "askNext" },
      ],
    },
    checking: {
      description: "The answer is read as JSON and checked against the schema of the task.",
      invoke: {
        id: "check",
        src: "check",
        input: ({ context: { schema = {}, answer } }) => ({ schema, text: answer?.text ?? "" }),
        onDone: [
          { guard: "was told more", target: "answered" },
          {
            guard: { type: "fits", params: ({ event }) => event.output },
            target: "over",
            actions: { type: "keepStructured", params: ({ event }) => event.output },
          },
          {
            guard: "may be corrected",
            target: "asking",
            actions: { type: "askRepair", params: ({ event }) => event.output },
          },
          {
            target: "over",
            actions: {
              type: "failUnfit",
              params: ({ event: { output } }) => ({ problems: "problems" in output ? output.problems : [] }),
            },
          },
        ],
        onError: {
          target: "over",
          actions: {
            type: "failUnfit",
            params: ({ event }) => ({
              problems: [`it could not be checked (${errorOf(event.error).message})`],
            }),
          },
        },
      },
    },
    over: { description: "The child has answered all that it was asked and told.", type: "final" },
    failed: {
      description: "opencode could not be asked, and the child's messages have no answer.",
      type: "final",
    },
    dropped: {
      description: "The job has ended otherwise. What had been written is still there.",
      type: "final",
    },
  },
})

export type Turn = ActorRefFrom<typeof turnMachine>

/** Why each transition is there. */
export const turnReasons: Reasons = {
  root: {
    "message.told": "Its answer belongs to this run, whichever turn has it.",
    "message.sent": "opencode has it: if the running turn is over, the message gets one of its own.",
    "message.refused": "Nothing was sent, so no answer is expected.",
    "text.opened": "A text of the child begins.",
    "text.streamed": "What it writes is kept: opencode has it only once it is complete.",
    "turn.drop": "The job was cancelled, or its time is over.",
  },
  asking: {
    "ask done": "The child's turn is over.",
    "ask failed": "The call was cut off; the child may have answered all the same.",
  },
  waiting: { "answer.look": "The job has seen the child idle for too long." },
  looking: {
    "findAnswer done, if found": "The answer was lost on its way.",
    "findAnswer done": "It is not there yet.",
    "findAnswer failed": "opencode did not say.",
  },
  inDoubt: {
    "findAnswerInDoubt done, if found": "It was answered before the call was cut off.",
    "findAnswerInDoubt done": "There is no answer, and the job has to be told.",
    "findAnswerInDoubt failed": "opencode does not say: the job is told of the first failure.",
  },
  answered: {
    "at once, if ended with an error": "The model or its provider failed: a later message would fail too.",
    "at once, if was told nothing more and has to fit": "All is answered, and the task has a schema.",
    "at once, if was told nothing more": "All is answered.",
    "at once, if the next message is sent": "It came as the turn ended, and is asked under its own ids.",
  },
  checking: {
    "check done, if was told more": "It came meanwhile, and its answer is what has to fit.",
    "check done, if fits": "The answer is the data that was asked for.",
    "check done, if may be corrected":
      "The child is told what is wrong, once for each thing that it was asked.",
    "check done": "It was told before, and the job fails with what is wrong.",
    "check failed": "What cannot be checked does not count as fitting.",
  },
}

function errorOf(thrown: unknown): JobError {
  const known = JobError.safeParse(thrown)
  return known.success ? known.data : { kind: "prompt", message: String(thrown) }
}
