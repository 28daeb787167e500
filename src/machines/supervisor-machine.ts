import { assign, type DoneActorEvent, type ErrorActorEvent, enqueueActions, setup } from "xstate"
import type { JobEvent, JobInput } from "./events.ts"
import { type JobSnapshot, jobMachine } from "./job-machine.ts"
import { recordOf } from "./job-record.ts"
import type { JobRecord } from "./record.ts"

export type SupervisorInput = { owner: string }

/** Plain JSON: which of the owner's jobs live, and under which actor each. */
export type SupervisorContext = {
  owner: string
  live: { job: string; actor: string }[]
  /** How many jobs it was told to start. */
  heard: number
}

export type SupervisorEvent =
  | { type: "job.start"; job: JobInput }
  | { type: "job.tell"; job: string; event: JobEvent }
  | { type: `xstate.snapshot.${string}`; snapshot: JobSnapshot }
  | DoneActorEvent<JobRecord>
  | ErrorActorEvent

/** Told to the system, which knows the limits. */
export type SlotEvent =
  | { type: "slot.request"; owner: string; job: string; model?: string | undefined }
  | { type: "slot.release"; owner: string; job: string }

/** Told to the system: none of its jobs lives. `heard` tells whether it is still to be told to start one. */
export type IdleEvent = { type: "supervisor.idle"; owner: string; heard: number }

/** An actor of ours threw: a defect, but of one job alone. */
export type Crash = { owner: string; job: string | undefined; error: unknown }

/** Why each transition is there: `reasons.ts`. */
export const supervisorMachine = setup({
  types: {
    input: {} as SupervisorInput,
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
  },
  actors: { job: jobMachine },
  guards: {
    "job is unknown": ({ context }, { id }: { id: string }) => context.live.every(({ job }) => job !== id),
  },
  actions: {
    /** Provided by `createTroupe`: records live outside machine context. */
    keepRecord: (_, _params: { record: JobRecord }) => {},
    /** Provided by `createTroupe`: makes a `failed` record of the last one. */
    keepCrash: (_, _params: Crash) => {},
    // It stands in line from the start: how long its session takes to open does not change its turn.
    startJob: enqueueActions(({ context, enqueue }, { job }: { job: JobInput }) => {
      const actor = freeActorId(context)
      enqueue.spawnChild("job", { id: actor, input: job, syncSnapshot: true })
      enqueue.assign({ live: [...context.live, { job: job.id, actor }] })
      enqueue.sendParent({
        type: "slot.request",
        owner: context.owner,
        job: job.id,
        model: job.model,
      } satisfies SlotEvent)
    }),
    // A job that goes on with another model stands in line for that one.
    claimAnew: enqueueActions(({ context, enqueue }, { snapshot }: { snapshot: JobSnapshot }) => {
      if (!snapshot.matches({ prompting: { moving: "opening" } })) return
      const { id, model } = snapshot.context.job
      enqueue.sendParent({
        type: "slot.request",
        owner: context.owner,
        job: id,
        model,
      } satisfies SlotEvent)
    }),
    tellJob: enqueueActions(({ context, enqueue }, { job, event }: { job: string; event: JobEvent }) => {
      const live = context.live.find((each) => each.job === job)
      if (live) enqueue.sendTo(live.actor, event)
    }),
    forgetJob: enqueueActions(({ context, enqueue }, { actor }: { actor: string }) => {
      const live = context.live.find((each) => each.actor === actor)
      if (!live) return
      enqueue.stopChild(actor)
      enqueue.assign({ live: context.live.filter((each) => each !== live) })
      enqueue.sendParent({ type: "slot.release", owner: context.owner, job: live.job } satisfies SlotEvent)
    }),
    sayWhenIdle: enqueueActions(({ context: { owner, live, heard }, enqueue }) => {
      if (live.length === 0) enqueue.sendParent({ type: "supervisor.idle", owner, heard } satisfies IdleEvent)
    }),
    countStart: assign({ heard: ({ context }) => context.heard + 1 }),
  },
}).createMachine({
  id: "supervisor",
  description:
    "Looks after one owner's jobs: starts them, passes on their events, watches their state, and keeps their " +
    "records.",
  context: ({ input }) => ({ owner: input.owner, live: [], heard: 0 }),
  on: {
    "job.start": [
      {
        guard: { type: "job is unknown", params: ({ event }) => event.job },
        actions: ["countStart", { type: "startJob", params: ({ event }) => event }],
      },
      { actions: "countStart" },
    ],
    "job.tell": { actions: { type: "tellJob", params: ({ event }) => event } },
    "xstate.snapshot.*": {
      actions: [
        { type: "keepRecord", params: ({ event }) => ({ record: recordOf(event.snapshot) }) },
        { type: "claimAnew", params: ({ event }) => event },
      ],
    },
    "xstate.done.actor.*": {
      actions: [
        { type: "keepRecord", params: ({ event }) => ({ record: event.output }) },
        { type: "forgetJob", params: ({ event }) => ({ actor: event.actorId }) },
        "sayWhenIdle",
      ],
    },
    "xstate.error.actor.*": {
      actions: [
        { type: "keepCrash", params: ({ context, event }) => crashOf(context, event) },
        { type: "forgetJob", params: ({ event }) => ({ actor: event.actorId }) },
        "sayWhenIdle",
      ],
    },
  },
})

function crashOf({ owner, live }: SupervisorContext, { actorId, error }: ErrorActorEvent): Crash {
  return { owner, job: live.find(({ actor }) => actor === actorId)?.job, error }
}

/** The smallest free one: xstate remembers every actor id that it has ever seen. */
function freeActorId({ live }: SupervisorContext): string {
  const taken = new Set(live.map(({ actor }) => actor))
  let index = 0
  while (taken.has(`job-${index}`)) index++
  return `job-${index}`
}
