import { assign, type ErrorActorEvent, enqueueActions, setup } from "xstate"
import { type Claim, createLimits, grant, type Limits, release, releaseOwner, request } from "./limits.ts"
import { type Crash, type SlotEvent, type SupervisorEvent, supervisorMachine } from "./supervisor-machine.ts"

export type SystemInput = {
  /** Prompts in flight at most, over all owners. */
  concurrency: number
}

/** Plain JSON: the owners that have a supervisor, and the limits that all of them share. */
export type SystemContext = { owners: string[]; limits: Limits }

export type SystemEvent =
  | { type: "owner.tell"; owner: string; event: SupervisorEvent }
  | { type: "owner.end"; owner: string }
  | SlotEvent
  | ErrorActorEvent

/** Why each transition is there: `reasons.ts`. */
export const systemMachine = setup({
  types: {
    input: {} as SystemInput,
    context: {} as SystemContext,
    events: {} as SystemEvent,
  },
  // Stryker disable next-line ObjectLiteral: `createTroupe` provides it with its effects
  actors: { supervisor: supervisorMachine },
  actions: {
    /** Provided by `createTroupe`: tells each job that it may prompt, and the time. */
    announceGrants: (_, _params: { granted: Claim[] }) => {},
    /** Provided by `createTroupe`: the jobs that the supervisor answered for end as `failed`. */
    keepCrash: (_, _params: Crash) => {},
    tellSupervisor: enqueueActions(
      ({ context, enqueue }, { owner, event }: { owner: string; event: SupervisorEvent }) => {
        if (!context.owners.includes(owner)) {
          // Nobody is there to hear anything else.
          if (event.type !== "job.start") return
          enqueue.spawnChild("supervisor", { id: owner, input: { owner } })
          enqueue.assign({ owners: [...context.owners, owner] })
        }
        enqueue.sendTo(owner, event)
      },
    ),
    forgetOwner: enqueueActions(({ context, enqueue }, { owner }: { owner: string }) => {
      if (!context.owners.includes(owner)) return
      enqueue.stopChild(owner)
      enqueue.assign({ owners: context.owners.filter((each) => each !== owner) })
    }),
    changeLimits: assign((_, { limits }: { limits: Limits }) => ({ limits })),
    handOutSlots: assign({ limits: ({ context }) => grant(context.limits).limits }),
  },
}).createMachine({
  id: "system",
  description:
    "The root of one plugin instance: a supervisor for each owner, and the slots in which jobs may prompt.",
  context: ({ input }) => ({ owners: [], limits: createLimits(input.concurrency) }),
  on: {
    "owner.tell": { actions: { type: "tellSupervisor", params: ({ event }) => event } },
    "slot.request": {
      actions: [
        {
          type: "changeLimits",
          params: ({ context, event }) => ({ limits: request(context.limits, event) }),
        },
        { type: "announceGrants", params: ({ context }) => grant(context.limits) },
        "handOutSlots",
      ],
    },
    "slot.release": {
      actions: [
        {
          type: "changeLimits",
          params: ({ context, event }) => ({ limits: release(context.limits, event) }),
        },
        { type: "announceGrants", params: ({ context }) => grant(context.limits) },
        "handOutSlots",
      ],
    },
    "owner.end": {
      actions: [
        { type: "forgetOwner", params: ({ event }) => event },
        {
          type: "changeLimits",
          params: ({ context, event }) => ({ limits: releaseOwner(context.limits, event.owner) }),
        },
        { type: "announceGrants", params: ({ context }) => grant(context.limits) },
        "handOutSlots",
      ],
    },
    "xstate.error.actor.*": {
      actions: [
        {
          type: "keepCrash",
          params: ({ event }) => ({ owner: event.actorId, job: undefined, error: event.error }),
        },
        { type: "forgetOwner", params: ({ event }) => ({ owner: event.actorId }) },
        {
          type: "changeLimits",
          params: ({ context, event }) => ({ limits: releaseOwner(context.limits, event.actorId) }),
        },
        { type: "announceGrants", params: ({ context }) => grant(context.limits) },
        "handOutSlots",
      ],
    },
  },
})
