import {
  type ActorRefFrom,
  assign,
  type DoneActorEvent,
  type ErrorActorEvent,
  emit,
  type PromiseActorLogic,
  setup,
} from "xstate"
import { notProvided } from "../../machines/effects.ts"
import { backoff } from "../util/backoff.ts"
import { merged, type Patch } from "./patch.ts"

/** Changes that are written together. */
export type Change = {
  patch: Patch
  /** Nothing else in opencode tells of it, should this process end now: it waits for no other change. */
  isUrgent: boolean
  /** Counts up: that of the latest change in it. */
  number: number
}

export type WriterInput = { session: string; change: Change }

/** Plain JSON. */
export type WriterContext = {
  session: string
  /** What is to be written next, merged. */
  waiting?: Change | undefined
  /** What the write under way has. */
  writing?: Change | undefined
  /** The latest change that is written; 0 for none. */
  written: number
  /** Writes that failed since one did not. */
  failures: number
}

export type WriterEvent =
  | { type: "record.changed"; change: Change }
  | { type: "others.due" }
  | { type: "store.closing" }
  | DoneActorEvent<WriteOutcome, "write">
  | ErrorActorEvent<unknown, "write">

/** This one has waited long enough: others that wait may as well be written now. */
export type WriterEmitted = { type: "writing.due" }

export type WriteInput = { session: string; patch: Patch }

/** `refused`: it is no longer ours to write. A write that is worth another attempt rejects. */
export type WriteOutcome = { type: "written" } | { type: "refused" }

/**
 * How long changes that are in no hurry wait for others, milliseconds: an end and its delivery, seconds later, are one
 * write. What a kill takes of them is read again from the conversations.
 */
const soon = 3_000
/** Before a write that failed is tried again, milliseconds. */
const pauses = { firstMs: 1_000, lastMs: 60_000 }

/** Why each transition is there: `writer-reasons.ts`. */
export const writerMachine = setup({
  types: {
    input: {} as WriterInput,
    context: {} as WriterContext,
    events: {} as WriterEvent,
    emitted: {} as WriterEmitted,
  },
  actors: { write: notProvided as PromiseActorLogic<WriteOutcome, WriteInput> },
  delays: {
    soon,
    backoff: ({ context }) => backoff(context.failures - 1, pauses),
  },
  guards: {
    "has changes": ({ context }) => context.waiting !== undefined,
    "has urgent changes": ({ context }) => context.waiting?.isUrgent === true,
    "was refused": (_, outcome: WriteOutcome) => outcome.type === "refused",
  },
  actions: {
    tellOthers: emit({ type: "writing.due" }),
    addChange: assign({
      waiting: ({ context }, { change }: { change: Change }) =>
        context.waiting ? together(context.waiting, change) : change,
    }),
    takeUp: assign(({ context }) => ({ writing: context.waiting, waiting: undefined })),
    noteWritten: assign(({ context }) => ({
      writing: undefined,
      written: context.writing?.number ?? context.written,
      failures: 0,
    })),
    takeBack: assign(({ context: { writing, waiting, failures } }) => ({
      writing: undefined,
      // What came meanwhile is newer, and goes over what could not be written. That one has had its attempt at once.
      waiting: writing && {
        ...(waiting ? together(writing, waiting) : writing),
        isUrgent: !!waiting?.isUrgent,
      },
      failures: failures + 1,
    })),
  },
}).createMachine({
  id: "writer",
  description:
    "Writes the changes of one stored job. It exists while anything is unwritten, and never runs two writes at once.",
  context: ({ input }) => ({ session: input.session, waiting: input.change, written: 0, failures: 0 }),
  initial: "dirty",
  states: {
    dirty: {
      description:
        "Changes wait for more, to be written together: each write costs as much as creating a child session.",
      always: { guard: "has urgent changes", target: "writing" },
      after: { soon: { target: "writing", actions: "tellOthers" } },
      on: {
        "record.changed": { actions: { type: "addChange", params: ({ event }) => event } },
        "others.due": "writing",
        "store.closing": "draining",
      },
    },
    writing: {
      description: "A write is under way. It cannot be taken back, so it is waited for.",
      entry: "takeUp",
      invoke: {
        id: "write",
        src: "write",
        input: ({ context }) => writeInput(context),
      },
      initial: "open",
      on: { "record.changed": { actions: { type: "addChange", params: ({ event }) => event } } },
      states: {
        open: {
          description: "Further writes may follow.",
          on: {
            "store.closing": "closing",
            "xstate.done.actor.write": [
              {
                guard: { type: "was refused", params: ({ event }) => event.output },
                target: "#writer.refused",
              },
              { guard: "has changes", target: "#writer.dirty", actions: "noteWritten" },
              { target: "#writer.clean", actions: "noteWritten" },
            ],
            "xstate.error.actor.write": { target: "#writer.retrying", actions: "takeBack" },
          },
        },
        closing: {
          description: "The plugin closes: one more write may follow, and a failed one is not tried again.",
          on: {
            "xstate.done.actor.write": [
              {
                guard: { type: "was refused", params: ({ event }) => event.output },
                target: "#writer.refused",
              },
              { guard: "has changes", target: "#writer.draining", actions: "noteWritten" },
              { target: "#writer.drained", actions: "noteWritten" },
            ],
            "xstate.error.actor.write": "#writer.drained",
          },
        },
      },
    },
    retrying: {
      description: "A write failed. The pause before the next attempt doubles with each, up to a minute.",
      always: { guard: "has urgent changes", target: "writing" },
      after: { backoff: "writing" },
      on: {
        "record.changed": { actions: { type: "addChange", params: ({ event }) => event } },
        "store.closing": "draining",
      },
    },
    draining: {
      description: "The plugin closes: all that is unwritten is written in one last attempt.",
      entry: "takeUp",
      invoke: {
        id: "lastWrite",
        src: "write",
        input: ({ context }) => writeInput(context),
        onDone: [
          { guard: { type: "was refused", params: ({ event }) => event.output }, target: "refused" },
          { target: "drained", actions: "noteWritten" },
        ],
        onError: "drained",
      },
    },
    clean: { description: "All is written: the actor is gone until something changes.", type: "final" },
    drained: { description: "The plugin is closed: nothing is written any more.", type: "final" },
    refused: {
      description: "The session is gone, its metadata is damaged, or another process runs the job.",
      type: "final",
    },
  },
})

export type WriterRef = ActorRefFrom<typeof writerMachine>

const writeInput = ({ session, writing }: WriterContext): WriteInput => ({
  session,
  patch: writing?.patch ?? {},
})

const together = (earlier: Change, later: Change): Change => ({
  patch: merged(earlier.patch, later.patch),
  isUrgent: earlier.isUrgent || later.isUrgent,
  number: later.number,
})
