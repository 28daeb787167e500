import { type ActorRefFrom, assign, type PromiseActorLogic, setup, stateIn } from "xstate"
import { notProvided } from "../../machines/effects.ts"
import type { Reasons } from "../../machines/reasons.ts"
import type { OwnerMessage } from "../host/port.ts"
import { backoff } from "../util/backoff.ts"

export type DeliveryInput = {
  owner: string
  /** Which process ran the jobs. Results of an earlier one never wake a session. */
  from: "this process" | "an earlier process" | "an interrupted turn"
}

/** Plain JSON. The ledger has the results, and the inbox knows which of them are delivered. */
export type DeliveryContext = DeliveryInput & {
  /** Jobs of an earlier process that run again, by id; only while dormant. */
  resumed: string[]
  /** What is being delivered. If that fails, it is tried again with the same message. */
  message?: OwnerMessage | undefined
  /** How often opencode has failed. */
  attempt: number
  /** There are results that the message under way does not hold. */
  hasMore: boolean
  /** How long the rest of a batch is waited for; only while gathering. Milliseconds. */
  gatherMs: number
}

export type DeliveryEvent =
  /** This process ran it, or resumed it. */
  | { type: "job.ended"; job: string }
  /** It had ended in an earlier process. */
  | { type: "job.adopted" }
  | { type: "job.resumed"; job: string }
  /** Its turn begins or goes on. */
  | { type: "owner.busy" }
  | { type: "owner.idle" }
  /** The user stopped its turn. */
  | { type: "owner.interrupted" }
  /** Every result is delivered. */
  | { type: "inbox.emptied" }

/** Reads whether the owner is busy and what its conversation holds, and composes a message of the rest. */
export type Compose = PromiseActorLogic<Composed, { owner: string }>
/** Puts the message into the owner's conversation, and has a turn read it. */
export type Deliver = PromiseActorLogic<Delivered, OwnerMessage>

export type Composed =
  | { outcome: "composed"; message: OwnerMessage; hasMore: boolean }
  /** Jobs that were started with these still run. */
  | { outcome: "early"; waitMs: number }
  /** `nothing`: every result is delivered, or nobody has said anything in the session. `gone`: it was deleted. */
  | { outcome: "busy" | "nothing" | "gone" }

/** `busy`: nothing was put there, since a turn has begun or the user has undone messages. `gone`: as above. */
export type Delivered = { outcome: "delivered" | "busy" | "gone" }

/** Jobs that end within it are delivered together. Milliseconds. */
const window = 250
/** Pauses before another attempt. */
const pauses = { firstMs: 1_000, lastMs: 60_000 }

export const deliveryMachine = setup({
  types: {
    input: {} as DeliveryInput,
    context: {} as DeliveryContext,
    events: {} as DeliveryEvent,
  },
  actors: {
    compose: notProvided as Compose,
    deliver: notProvided as Deliver,
  },
  delays: {
    window,
    gathering: ({ context }) => context.gatherMs,
    pause: ({ context }) => backoff(context.attempt, pauses),
  },
  guards: {
    "was interrupted": ({ context }) => context.from === "an interrupted turn",
    "is of an earlier process": ({ context }) => context.from === "an earlier process",
    "was resumed": ({ context }, { job }: { job: string }) => context.resumed.includes(job),
    "no resumed job runs": ({ context }) => context.resumed.length === 0,
    "no message is under way": ({ context }) => context.message === undefined,
    "there is something to say": (_, { outcome }: Composed) => outcome === "composed",
    "it is early": (_, { outcome }: Composed) => outcome === "early",
    "owner is busy": (_, { outcome }: Composed | Delivered) => outcome === "busy",
    "owner is gone": (_, { outcome }: Composed | Delivered) => outcome === "gone",
    "has more": ({ context }) => context.hasMore,
    "a turn has begun": stateIn("#delivery.delivering.overtaken"),
    "a turn has passed": stateIn("#delivery.delivering.idleAgain"),
    "that turn was stopped": stateIn("#delivery.delivering.stopped"),
  },
  actions: {
    rememberResumed: assign({
      resumed: ({ context }, { job }: { job: string }) => [...context.resumed, job],
    }),
    forgetResumed: assign({
      resumed: ({ context }, { job }: { job: string }) => context.resumed.filter((each) => each !== job),
    }),
    forgetAllResumed: assign({ resumed: [] }),
    rememberMore: assign({ hasMore: true }),
    forgetMore: assign({ hasMore: false }),
    keepMessage: assign(({ context }, composed: Composed) =>
      composed.outcome === "composed"
        ? { message: composed.message, hasMore: context.hasMore || composed.hasMore }
        : {},
    ),
    forgetMessage: assign({ message: undefined }),
    keepTime: assign((_, composed: Composed) =>
      composed.outcome === "early" ? { gatherMs: composed.waitMs } : {},
    ),
    forgetTime: assign({ gatherMs: 0 }),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    forgetAttempts: assign({ attempt: 0 }),
  },
}).createMachine({
  id: "delivery",
  description:
    "Delivers results to one owner: each once, those of a batch in one message, and only while the owner is idle, so " +
    "that its work is never interrupted.",
  context: ({ input }) => ({
    ...input,
    resumed: [],
    attempt: 0,
    hasMore: false,
    gatherMs: 0,
  }),
  on: {
    "job.ended": { actions: "rememberMore" },
    "job.adopted": { actions: "rememberMore" },
  },
  initial: "noticed",
  states: {
    noticed: {
      description: "Transient: results of this process go out, those of an earlier one wait.",
      always: [
        { guard: "is of an earlier process", target: "dormant" },
        { guard: "was interrupted", target: "held" },
        { target: "window" },
      ],
    },
    held: {
      description:
        "The user has just stopped the owner's turn. Results wait until the owner is next used: none of them starts it again.",
      on: { "owner.busy": "busy" },
    },
    dormant: {
      description:
        "Results of an earlier process wait until the owner is next used. They never wake a session.",
      exit: "forgetAllResumed",
      on: {
        "owner.busy": "busy",
        "owner.idle": "window",
        "job.resumed": { actions: { type: "rememberResumed", params: ({ event }) => event } },
        "job.ended": [
          {
            guard: { type: "was resumed", params: ({ event }) => event },
            actions: { type: "forgetResumed", params: ({ event }) => event },
          },
          { target: "window" },
        ],
        "inbox.emptied": { guard: "no resumed job runs", target: "quiet" },
      },
    },
    window: {
      description: "Jobs that end now are delivered in one message.",
      on: {
        "owner.busy": "busy",
        "owner.interrupted": "held",
        "inbox.emptied": { guard: "no message is under way", target: "quiet" },
      },
      after: {
        window: [{ guard: "no message is under way", target: "composing" }, { target: "delivering" }],
      },
    },
    busy: {
      description:
        "The owner's turn is under way. It may fetch results itself; the rest is delivered when the turn ends.",
      entry: ["forgetMessage", "forgetAttempts"],
      on: { "owner.idle": "window", "owner.interrupted": "held", "inbox.emptied": "quiet" },
    },
    gathering: {
      description:
        "The owner is told once of a whole batch, whose other jobs still run. No result waits longer than the option says.",
      exit: "forgetTime",
      on: {
        "owner.busy": "busy",
        "owner.idle": "window",
        "owner.interrupted": "held",
        "job.ended": "window",
        "inbox.emptied": "quiet",
      },
      after: { gathering: "composing" },
    },
    composing: {
      description: "The conversation and the texts are read. Nothing is written yet, so leaving is harmless.",
      entry: "forgetMore",
      invoke: {
        id: "compose",
        src: "compose",
        input: ({ context }) => context,
        onDone: [
          {
            guard: { type: "there is something to say", params: ({ event }) => event.output },
            target: "delivering",
            actions: { type: "keepMessage", params: ({ event }) => event.output },
          },
          { guard: { type: "owner is busy", params: ({ event }) => event.output }, target: "busy" },
          { guard: { type: "owner is gone", params: ({ event }) => event.output }, target: "quiet" },
          { guard: "has more", target: "window" },
          {
            guard: { type: "it is early", params: ({ event }) => event.output },
            target: "gathering",
            actions: { type: "keepTime", params: ({ event }) => event.output },
          },
          { target: "quiet" },
        ],
        onError: "backoff",
      },
      on: { "owner.busy": "busy", "owner.idle": "window", "owner.interrupted": "held" },
    },
    delivering: {
      description:
        "The message is put into the conversation, and a turn reads it. The request cannot be taken back: whatever " +
        "happens, its end is awaited, or the message could be composed anew under another id.",
      invoke: {
        id: "deliver",
        src: "deliver",
        input: ({ context }) => messageOf(context),
        onDone: [
          { guard: { type: "owner is gone", params: ({ event }) => event.output }, target: "quiet" },
          { guard: "a turn has begun", target: "busy" },
          { guard: "that turn was stopped", target: "held" },
          {
            guard: { type: "owner is busy", params: ({ event }) => event.output },
            target: "composing",
            actions: "forgetMessage",
          },
          { guard: "has more", target: "window", actions: "forgetMessage" },
          { target: "quiet" },
        ],
        onError: [
          { guard: "a turn has begun", target: "busy" },
          { guard: "that turn was stopped", target: "held" },
          { guard: "a turn has passed", target: "backoff", actions: "forgetMessage" },
          { target: "backoff" },
        ],
      },
      on: { "owner.interrupted": ".stopped" },
      initial: "undisturbed",
      states: {
        undisturbed: {
          description: "The owner is idle. Once the message is stored, a turn is started that reads it.",
          on: { "owner.busy": "overtaken" },
        },
        overtaken: {
          description: "A turn is under way, this message's or somebody else's. No other is started.",
          on: { "owner.idle": "idleAgain" },
        },
        idleAgain: {
          description:
            "That turn is over; it may have fetched results itself. If the message is stored only now, a turn is started that reads it.",
          on: { "owner.busy": "overtaken" },
        },
        stopped: {
          description: "The user has just stopped the owner's turn. No other is started.",
          on: { "owner.busy": "overtaken" },
        },
      },
    },
    backoff: {
      description: "opencode failed. What failed is tried again after a pause, longer each time.",
      exit: "countAttempt",
      on: {
        "owner.busy": "busy",
        "owner.interrupted": "held",
        "job.ended": { target: "window", actions: "rememberMore" },
        "inbox.emptied": { guard: "no message is under way", target: "quiet" },
      },
      after: {
        pause: [{ guard: "no message is under way", target: "composing" }, { target: "delivering" }],
      },
    },
    quiet: { description: "Nothing is left to deliver.", type: "final" },
  },
})

export type Delivery = ActorRefFrom<typeof deliveryMachine>

/** Why each transition is there. */
export const deliveryReasons: Reasons = {
  root: {
    "job.ended": "If a message is under way, it does not contain this result.",
    "job.adopted": "If a message is under way, it does not contain this result.",
  },
  noticed: {
    "at once, if is of an earlier process":
      "A turn costs money and may change files: nobody might be there to see it.",
    "at once, if was interrupted": "Its jobs still run, and their results will come in a moment.",
    "at once": "The owner expects the result.",
  },
  held: { "owner.busy": "The session is in use again: the results are delivered when this turn ends." },
  dormant: {
    "owner.busy": "The session is in use again: the results are delivered when this turn ends.",
    "owner.idle": "A turn has ended whose beginning was missed.",
    "job.resumed": "Recovery started it again; nobody has asked for its result yet.",
    "job.ended, if was resumed": "The owner has not been used since, so this result waits too.",
    "job.ended": "It was run from this process, so the owner gets this result, and the others with it.",
    "inbox.emptied, if no resumed job runs": "The conversation turned out to contain every result.",
  },
  window: {
    "after window, if no message is under way": "Later results go into the next message.",
    "after window":
      "The message that failed goes out as it was: under the same id it is stored once. The others go into the next.",
    "owner.interrupted": "That turn was stopped by the user, who does not want another one at once.",
    "owner.busy": "Nothing is delivered to a busy owner.",
    "inbox.emptied, if no message is under way": "The owner has every result.",
  },
  busy: {
    "owner.idle": "Now the results that it did not fetch itself can be delivered.",
    "owner.interrupted": "The user stopped it and does not want another turn at once.",
    "inbox.emptied": "It fetched every result itself.",
  },
  gathering: {
    "after gathering": "The first of these results has waited for long enough.",
    "owner.busy": "It may fetch some of the results itself.",
    "owner.idle": "A turn has come and gone whose beginning was missed.",
    "owner.interrupted": "That turn was stopped by the user, who does not want another one at once.",
    "job.ended": "It may be the last of its batch.",
    "inbox.emptied": "The owner has every result.",
  },
  composing: {
    "compose done, if there is something to say": "The owner is idle, and gets all results in one message.",
    "compose done, if owner is busy": "Its turn began before this actor existed.",
    "compose done, if owner is gone": "Its session was deleted.",
    "compose done, if has more": "A job ended just after the inbox was read.",
    "compose done, if it is early": "Other jobs of the same batch still run.",
    "compose done": "The owner has every result, or nobody has said anything in its session.",
    "compose failed": "opencode did not answer.",
    "owner.busy": "It may fetch some of the results itself, so the message is composed again later.",
    "owner.idle": "opencode may just have answered that the owner is busy.",
    "owner.interrupted": "That turn was stopped by the user, who does not want another one at once.",
  },
  delivering: {
    "deliver done, if owner is gone": "Its session was deleted.",
    "deliver done, if a turn has begun": "Whoever started that turn, it reads the message.",
    "deliver done, if that turn was stopped": "The user does not want another one at once.",
    "deliver done, if owner is busy":
      "The user has undone messages, which a new one would make final; or a turn has come and gone.",
    "deliver done, if has more": "More jobs have ended, or a text could not be read before.",
    "deliver done": "The owner has every result.",
    "deliver failed, if a turn has begun":
      "After that turn, the conversation shows whether the message was stored.",
    "deliver failed, if that turn was stopped": "The user does not want another one at once.",
    "deliver failed, if a turn has passed":
      "The conversation shows whether the message was stored, and what that turn has fetched is not delivered again.",
    "deliver failed": "opencode did not answer, or could not store the message.",
    "owner.interrupted": "The user does not want another turn at once.",
  },
  undisturbed: {
    "owner.busy": "Whoever started that turn, it reads the message if that is stored by its end.",
  },
  overtaken: { "owner.idle": "That turn may have ended before the message was stored." },
  idleAgain: {
    "owner.busy": "Whoever started that turn, it reads the message if that is stored by its end.",
  },
  stopped: { "owner.busy": "The session is in use again." },
  backoff: {
    "after pause, if no message is under way": "opencode may be working again.",
    "after pause": "The message may be stored although the call failed; under the same id it is stored once.",
    "owner.busy": "Whoever started this turn, it reads the message if that is stored by now.",
    "owner.interrupted": "That turn was stopped by the user, who does not want another one at once.",
    "job.ended": "A new result must not wait for a long pause to end.",
    "inbox.emptied, if no message is under way": "The owner has every result.",
  },
}

/** The compiler cannot see that there is a message wherever this is called. */
function messageOf({ message }: DeliveryContext): OwnerMessage {
  if (!message) throw new Error("no message was composed")
  return message
}
