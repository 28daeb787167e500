import { type ActorRefFrom, assign, type PromiseActorLogic, setup, stateIn } from "xstate"
import { notProvided } from "../../machines/effects.ts"
import type { Reasons } from "../../machines/reasons.ts"
import type { NewPrompt } from "../host/port.ts"
import { backoff } from "../util/backoff.ts"

export type DeliveryInput = {
  owner: string
  /** Whose results these are. Those of an earlier process never wake a session. */
  from: "this process" | "an earlier process"
}

/** Plain JSON. The results themselves are in the ledger, and which of them are delivered is in the inbox. */
export type DeliveryContext = DeliveryInput & {
  /** Jobs of an earlier process that run again, by id; while it is dormant. */
  resumed: string[]
  next: Step
  /** How often a step has failed. */
  attempt: number
  /** There is more to deliver than the delivery under way holds. */
  hasMore: boolean
}

/** What is to be done next. Each step is tried again alone, the later ones with the same message. */
type Step = { step: "compose" } | { step: "store" | "start"; message: Message }

/** With ids: opencode stores a message of the same ids once, however often it is sent. */
export type Message = NewPrompt & { messageID: string; partID: string }

export type DeliveryEvent =
  /** In a run of this process, or in one that it resumed. */
  | { type: "job.ended"; job: string }
  /** An earlier process had ended it. */
  | { type: "job.adopted" }
  | { type: "job.resumed"; job: string }
  /** Its turn has begun, or goes on. */
  | { type: "owner.busy" }
  | { type: "owner.idle" }
  /** Every result is delivered. */
  | { type: "inbox.emptied" }

/** Reads what the owner has been told and whether it works, and composes what it has yet to be told. */
export type Compose = PromiseActorLogic<Composed, { owner: string }>
/** Puts the message into the owner's conversation. */
export type Store = PromiseActorLogic<Done, Message>
/** Starts the turn of a stored message. */
export type Start = PromiseActorLogic<Done, Message>

export type Composed =
  | { outcome: "composed"; message: Message; hasMore: boolean }
  /** `nothing`: no result is undelivered, or there is nobody yet to deliver it to. `gone`: the session was deleted. */
  | { outcome: "busy" | "nothing" | "gone" }

export type Done = { outcome: "done" | "gone" }

/** Jobs that end within it are delivered in one message. Milliseconds. */
const window = 250
/** Pauses before a step that failed is tried again. */
const pauses = { firstMs: 1_000, lastMs: 60_000 }

/** Why each transition is there: `deliveryReasons` below. */
export const deliveryMachine = setup({
  types: {
    input: {} as DeliveryInput,
    context: {} as DeliveryContext,
    events: {} as DeliveryEvent,
  },
  actors: {
    compose: notProvided as Compose,
    store: notProvided as Store,
    start: notProvided as Start,
  },
  delays: {
    window,
    pause: ({ context }) => backoff(context.attempt, pauses),
  },
  guards: {
    "is of an earlier process": ({ context }) => context.from === "an earlier process",
    "was resumed": ({ context }, { job }: { job: string }) => context.resumed.includes(job),
    "no resumed job runs": ({ context }) => context.resumed.length === 0,
    "no message is under way": ({ context }) => context.next.step === "compose",
    "next is": ({ context }, step: Step["step"]) => context.next.step === step,
    "there is something to say": (_, { outcome }: Composed) => outcome === "composed",
    "owner works": (_, { outcome }: Composed) => outcome === "busy",
    "owner is gone": (_, { outcome }: Composed | Done) => outcome === "gone",
    "has more": ({ context }) => context.hasMore,
    "a turn has begun": stateIn("#delivery.delivering.storing.overtaken"),
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
        ? {
            next: { step: "store", message: composed.message },
            hasMore: context.hasMore || composed.hasMore,
          }
        : {},
    ),
    markStored: assign({ next: ({ context }) => ({ step: "start", message: messageOf(context) }) }),
    forgetMessage: assign({ next: { step: "compose" } }),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    forgetAttempts: assign({ attempt: 0 }),
  },
}).createMachine({
  id: "delivery",
  description:
    "Delivers results to one owner: each run's once, all that is there in one message, and only while the owner is " +
    "idle, so that nothing interrupts its work.",
  context: ({ input }) => ({
    ...input,
    resumed: [],
    next: { step: "compose" },
    attempt: 0,
    hasMore: false,
  }),
  on: {
    "job.ended": { actions: "rememberMore" },
    "job.adopted": { actions: "rememberMore" },
  },
  initial: "noticed",
  states: {
    noticed: {
      description: "Passed through: whose results these are says where to.",
      always: [{ guard: "is of an earlier process", target: "dormant" }, { target: "window" }],
    },
    dormant: {
      description:
        "What an earlier process left waits until the owner is next used: it never wakes a session.",
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
      description: "Jobs that end now are delivered together.",
      on: {
        "owner.busy": "busy",
        "inbox.emptied": { guard: "no message is under way", target: "quiet" },
      },
      after: { window: "delivering" },
    },
    busy: {
      description:
        "The owner's turn is under way. It may read the results itself; its end is the time for the rest.",
      entry: ["forgetMessage", "forgetAttempts"],
      on: { "owner.idle": "window", "inbox.emptied": "quiet" },
    },
    delivering: {
      description: "Three steps. What has ended meanwhile is delivered after them.",
      initial: "resuming",
      states: {
        resuming: {
          description: "Passed through: a step that failed is tried again, not those before it.",
          always: [
            { guard: { type: "next is", params: "start" }, target: "starting" },
            { guard: { type: "next is", params: "store" }, target: "storing" },
            { target: "composing" },
          ],
        },
        composing: {
          description:
            "The conversation and the texts are read. Nothing is written yet, so leaving costs nothing.",
          entry: "forgetMore",
          invoke: {
            id: "compose",
            src: "compose",
            input: ({ context }) => context,
            onDone: [
              {
                guard: { type: "there is something to say", params: ({ event }) => event.output },
                target: "storing",
                actions: { type: "keepMessage", params: ({ event }) => event.output },
              },
              {
                guard: { type: "owner works", params: ({ event }) => event.output },
                target: "#delivery.busy",
              },
              {
                guard: { type: "owner is gone", params: ({ event }) => event.output },
                target: "#delivery.quiet",
              },
              { guard: "has more", target: "#delivery.window" },
              { target: "#delivery.quiet" },
            ],
            onError: "#delivery.backoff",
          },
          on: { "owner.busy": "#delivery.busy", "owner.idle": "#delivery.window" },
        },
        storing: {
          description:
            "The message is put into the conversation. opencode answers what starts a turn before it has stored it, " +
            "so that a crash could lose it: it is stored first.",
          invoke: {
            id: "store",
            src: "store",
            input: ({ context }) => messageOf(context),
            onDone: [
              {
                guard: { type: "owner is gone", params: ({ event }) => event.output },
                target: "#delivery.quiet",
              },
              { guard: "a turn has begun", target: "#delivery.busy" },
              { target: "starting", actions: "markStored" },
            ],
            onError: [
              { guard: "a turn has begun", target: "#delivery.busy" },
              { target: "#delivery.backoff" },
            ],
          },
          initial: "undisturbed",
          states: {
            undisturbed: { description: "The owner is idle.", on: { "owner.busy": "overtaken" } },
            overtaken: {
              description: "A turn of somebody else has begun. What was sent cannot be taken back.",
              on: { "owner.idle": "undisturbed" },
            },
          },
        },
        starting: {
          description: "The message is stored, and the owner's turn is started for it.",
          invoke: {
            id: "start",
            src: "start",
            input: ({ context }) => messageOf(context),
            onDone: [
              {
                guard: { type: "owner is gone", params: ({ event }) => event.output },
                target: "#delivery.quiet",
              },
              { guard: "has more", target: "#delivery.window", actions: "forgetMessage" },
              { target: "#delivery.quiet" },
            ],
            onError: "#delivery.backoff",
          },
          on: { "owner.busy": "#delivery.busy" },
        },
      },
    },
    backoff: {
      description: "opencode did not do it. It is tried again, each time after a longer pause.",
      exit: "countAttempt",
      on: {
        "owner.busy": "busy",
        "job.ended": { target: "window", actions: "rememberMore" },
        "inbox.emptied": { guard: "no message is under way", target: "quiet" },
      },
      after: { pause: "delivering" },
    },
    quiet: { description: "There is nothing to deliver.", type: "final" },
  },
})

export type Delivery = ActorRefFrom<typeof deliveryMachine>

/** Why each transition is there. */
export const deliveryReasons: Reasons = {
  root: {
    "job.ended": "A message that is under way does not hold it.",
    "job.adopted": "A message that is under way does not hold it.",
  },
  noticed: {
    "at once, if is of an earlier process":
      "Nobody may be there to see what a session does that wakes by itself.",
    "at once": "The owner waits for it.",
  },
  dormant: {
    "owner.busy": "Somebody uses the session: it gets the results at the end of this turn at the latest.",
    "owner.idle": "A turn is over whose beginning was not heard.",
    "job.resumed": "That it runs again does not make it wanted.",
    "job.ended, if was resumed": "Its owner may not even know that it ran again.",
    "job.ended": "Somebody had it run in this process, and the owner is told of everything then.",
    "inbox.emptied, if no resumed job runs": "An earlier process had delivered them after all.",
  },
  window: {
    "after window": "What ends from now on is told later.",
    "owner.busy": "It works again, and is not interrupted.",
    "inbox.emptied, if no message is under way": "The owner has the results.",
  },
  busy: {
    "owner.idle": "Now it may be told what it has not read itself.",
    "inbox.emptied": "It has read all of them itself.",
  },
  resuming: {
    "at once, if next is start": "The message is stored: only its turn is missing.",
    "at once, if next is store":
      "It may have been stored although the call failed: the same ids are stored once.",
    "at once": "It begins with what there is to say.",
  },
  composing: {
    "compose done, if there is something to say": "The owner is idle, and gets all of it in one message.",
    "compose done, if owner works": "Its turn had begun before anybody listened.",
    "compose done, if owner is gone": "Its session was deleted.",
    "compose done, if has more": "Something ended just as the look was over.",
    "compose done": "The owner has everything, or has never said anything.",
    "compose failed": "opencode did not answer.",
    "owner.busy": "It may read some of it itself, so what was composed no longer holds.",
    "owner.idle": "opencode may just have said that it works.",
  },
  storing: {
    "store done, if owner is gone": "Its session was deleted.",
    "store done, if a turn has begun": "Whoever started that turn, it reads what is stored.",
    "store done": "Nothing can be lost any more.",
    "store failed, if a turn has begun": "The next look at the conversation says whether it was stored.",
    "store failed": "opencode did not answer, or could not store it.",
  },
  undisturbed: { "owner.busy": "The next attempt must not interrupt it." },
  overtaken: { "owner.idle": "That turn may have been over before the message came." },
  starting: {
    "start done, if owner is gone": "Its session was deleted.",
    "start done, if has more": "More has ended meanwhile, or could not be read before.",
    "start done": "The owner has everything.",
    "start failed": "opencode did not answer.",
    "owner.busy": "Its turn has begun. Whoever started it, it reads what is stored.",
  },
  backoff: {
    "after pause": "opencode may answer again.",
    "owner.busy": "Whoever started this turn, it reads what may be stored by now.",
    "job.ended": "News is not to wait for a long pause to be over.",
    "inbox.emptied, if no message is under way": "The owner has the results.",
  },
}

/** Where it is called there is a message, which the compiler cannot see. */
function messageOf({ next }: DeliveryContext): Message {
  if (next.step === "compose") throw new Error("no message was composed")
  return next.message
}
