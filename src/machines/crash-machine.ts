import { type ActorRefFrom, assign, setup } from "xstate"
import {
  type ChildInput,
  notProvided,
  type RecordEnd,
  type StopChild,
  type StopChildOutput,
} from "./effects.ts"
import { recordLimit, stopLimit } from "./job-clock.ts"
import type { JobRecord } from "./record.ts"

export type CrashInput = {
  /** As the job is to end: `failed`, because of a defect of ours. */
  record: JobRecord
  /** Its child, if that was being prompted. */
  child?: ChildInput | undefined
}

/** Why each transition is there: `reasons.ts`. */
export const crashMachine = setup({
  types: {
    input: {} as CrashInput,
    context: {} as CrashInput,
    output: {} as JobRecord,
  },
  actors: {
    recordEnd: notProvided as RecordEnd,
    stopChild: notProvided as StopChild,
  },
  delays: { recordLimit, stopLimit },
  guards: {
    "was prompted": ({ context }) => context.child !== undefined,
  },
  actions: {
    keepPartialText: assign({
      record: ({ context: { record, child } }, { text: written, usage }: StopChildOutput) => {
        const text = child?.job.earlier?.text ?? written
        return { ...record, ...(text !== undefined && { text }), ...(usage && { usage }) }
      },
    }),
  },
}).createMachine({
  id: "crash",
  description:
    "Ends a job whose actor has crashed, in its place and as it would have: stored before anybody is told.",
  context: ({ input }) => input,
  output: ({ context }) => context.record,
  initial: "recording",
  states: {
    recording: {
      description: "The end is stored before the child is aborted and before anybody is told.",
      invoke: {
        id: "recordEnd",
        src: "recordEnd",
        input: ({ context }) => context.record,
        onDone: "recorded",
        onError: "recorded",
      },
      after: { recordLimit: "recorded" },
    },
    recorded: {
      description: "Transient: a child that was prompted is still working.",
      always: [{ guard: "was prompted", target: "aborting" }, { target: "ended" }],
    },
    aborting: {
      description: "The child is aborted, and what it had written is read.",
      invoke: {
        id: "stopChild",
        src: "stopChild",
        input: ({ context }) => childIn(context),
        onDone: {
          target: "ended",
          actions: { type: "keepPartialText", params: ({ event }) => event.output },
        },
        onError: "ended",
      },
      after: { stopLimit: "ended" },
    },
    ended: { description: "The job is `failed`.", type: "final" },
  },
})

export type CrashRef = ActorRefFrom<typeof crashMachine>

/** The compiler cannot see that there is a child wherever this is called. */
function childIn({ child }: CrashInput): ChildInput {
  if (!child) throw new Error("there is no child to stop")
  return child
}
