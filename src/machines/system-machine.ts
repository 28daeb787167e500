import { assign, type ErrorActorEvent, enqueueActions, setup } from "xstate"
import {
  type Answered,
  type Claim,
  type Concurrency,
  createLimits,
  endHold,
  grant,
  type HoldNews,
  hold,
  isEndedBy,
  type Later,
  type Limits,
  passHold,
  release,
  releaseOwner,
  request,
} from "./limits.ts"
import {
  type Crash,
  type IdleEvent,
  type SlotEvent,
  type SupervisorEvent,
  supervisorMachine,
} from "./supervisor-machine.ts"

export type SystemInput = {
  /** Prompts in flight at most, over all owners. */
  concurrency: Concurrency
}

/** Plain JSON: the owners that have a supervisor, and the limits that all of them share. */
export type SystemContext = { owners: Owner[]; limits: Limits }

/** `starts`: how many jobs its supervisor was told to start. */
type Owner = { id: string; starts: number }

export type SystemEvent =
  | { type: "owner.tell"; owner: string; event: SupervisorEvent }
  | { type: "owner.end"; owner: string }
  | SlotEvent
  | ProviderEvent
  | IdleEvent
  | ErrorActorEvent

export type ProviderEvent =
  /** A job's provider wants to be asked later; `until` and `at` are epoch milliseconds. */
  | ({ type: "provider.later" } & Later)
  /** A job's model answers; `askedAt` is in epoch milliseconds. */
  | ({ type: "provider.answered" } & Answered)
  /** `at`: epoch milliseconds. */
  | { type: "hold.over"; provider: string; at: number }

/** Why each transition is there: `reasons.ts`. */
export const systemMachine = setup({
  types: {
    input: {} as SystemInput,
    context: {} as SystemContext,
    events: {} as SystemEvent,
  },
  actors: { supervisor: supervisorMachine },
  guards: {
    "has heard all": ({ context }, { owner, heard }: { owner: string; heard: number }) =>
      context.owners.some(({ id, starts }) => id === owner && starts === heard),
    "ends a hold": ({ context }, answered: Answered) =>
      context.limits.holds.some((hold) => isEndedBy(hold, answered)),
  },
  actions: {
    /** Provided by `createTroupe`: tells each job that it may prompt, or until when it is held, and the time. */
    announceGrants: (_, _params: { granted: Claim[]; news: HoldNews[] }) => {},
    /** Provided by `createTroupe`: the jobs that the supervisor answered for end as `failed`. */
    keepCrash: (_, _params: Crash) => {},
    tellSupervisor: enqueueActions(
      ({ context, enqueue }, { owner, event }: { owner: string; event: SupervisorEvent }) => {
        const known = context.owners.find(({ id }) => id === owner)
        if (event.type === "job.start") {
          if (!known) enqueue.spawnChild("supervisor", { id: owner, input: { owner } })
          enqueue.assign({ owners: withStart(context.owners, owner) })
        } else if (!known) {
          // Nobody is there to hear anything else.
          return
        }
        enqueue.sendTo(owner, event)
      },
    ),
    forgetOwner: enqueueActions(({ context, enqueue }, { owner }: { owner: string }) => {
      if (context.owners.every(({ id }) => id !== owner)) return
      enqueue.stopChild(owner)
      enqueue.assign({ owners: context.owners.filter(({ id }) => id !== owner) })
    }),
    changeLimits: assign((_, { limits }: { limits: Limits }) => ({ limits })),
    // The hold may be another job's, which is longer.
    setHoldTimer: enqueueActions(
      ({ context, enqueue }, { provider, at }: { provider: string; at: number }) => {
        enqueue.cancel(timerOf(provider))
        const hold = context.limits.holds.find((each) => each.provider === provider)
        if (!hold) return
        const over = { type: "hold.over", provider, at: hold.until } as const
        enqueue.raise(over, { id: timerOf(provider), delay: hold.until - at })
      },
    ),
    clearHoldTimer: enqueueActions(({ context, enqueue }, answered: Answered) => {
      for (const hold of context.limits.holds)
        if (isEndedBy(hold, answered)) enqueue.cancel(timerOf(hold.provider))
    }),
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
    "provider.later": {
      actions: [
        {
          type: "changeLimits",
          params: ({ context, event: { type: _, ...told } }) => ({ limits: hold(context.limits, told) }),
        },
        { type: "setHoldTimer", params: ({ event }) => event },
        { type: "announceGrants", params: ({ context }) => grant(context.limits) },
        "handOutSlots",
      ],
    },
    "provider.answered": {
      guard: { type: "ends a hold", params: ({ event }) => event },
      actions: [
        { type: "clearHoldTimer", params: ({ event }) => event },
        {
          type: "changeLimits",
          params: ({ context, event }) => ({ limits: endHold(context.limits, event) }),
        },
        { type: "announceGrants", params: ({ context }) => grant(context.limits) },
        "handOutSlots",
      ],
    },
    "hold.over": {
      actions: [
        {
          type: "changeLimits",
          params: ({ context, event }) => ({ limits: passHold(context.limits, event.provider) }),
        },
        { type: "setHoldTimer", params: ({ event }) => event },
        { type: "announceGrants", params: ({ context }) => grant(context.limits) },
        "handOutSlots",
      ],
    },
    "supervisor.idle": {
      guard: { type: "has heard all", params: ({ event }) => event },
      actions: { type: "forgetOwner", params: ({ event }) => event },
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

const timerOf = (provider: string) => `hold of ${provider}`

function withStart(owners: readonly Owner[], owner: string): Owner[] {
  const known = owners.find(({ id }) => id === owner)
  if (!known) return [...owners, { id: owner, starts: 1 }]
  return owners.map((each) => (each === known ? { ...known, starts: known.starts + 1 } : each))
}
