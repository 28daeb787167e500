import { assign, type DoneActorEvent, type ErrorActorEvent, enqueueActions, setup } from "xstate"
import type { JobEvent, JobInput } from "./events.ts"
import { type JobSnapshot, jobMachine } from "./job-machine.ts"
import { recordOf } from "./job-record.ts"
import { breachOf, endOf, type NeedEnd, standingOf } from "./needs.ts"
import type { JobRecord, Need } from "./record.ts"

export type SupervisorInput = { owner: string }

/** Plain JSON: which of the owner's jobs live, under which actor each, and what they still need. */
export type SupervisorContext = {
  owner: string
  live: Live[]
  /** How many jobs it was told to start. */
  heard: number
}

type Live = { job: string; actor: string; blocked?: Blocked }

/** `open`: what is still to end before it stands in line, never empty. `model`: which limits that line falls under. */
type Blocked = { open: Need[]; model?: string | undefined; isGroup?: boolean }

export type SupervisorEvent =
  /** `ended`: those of its needs that have ended by now. */
  | { type: "job.start"; job: JobInput; ended?: NeedEnd[] }
  /** A job of this owner has ended that does not live here: one of an earlier process, or whose actor has crashed. */
  | { type: "need.ended"; end: NeedEnd; at: number }
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
    startJob: enqueueActions(({ context, enqueue }, { job, ended = [] }: Start) => {
      const actor = freeActorId(context)
      enqueue.spawnChild("job", { id: actor, input: job, syncSnapshot: true })
      const needs = job.hasBegun ? [] : (job.needs ?? [])
      const known = ({ id }: Need) => ended.find((end) => end.id === id)
      const open = needs.filter((need) => standingOf(need, known(need)) === "open")
      const broken = needs.find((need) => standingOf(need, known(need)) === "broken")
      const end = broken && known(broken)
      const isBlocked = !end && open.length > 0
      const isGroup = job.each !== undefined
      const blocked = { open, model: job.model, ...(isGroup && { isGroup }) }
      const live = { job: job.id, actor, ...(isBlocked && { blocked }) }
      enqueue.assign({ live: [...context.live, live] })
      if (end) enqueue.sendTo(actor, brokenNeed(end, job.askedAt))
      if (end || isBlocked) return
      if (needs.length > 0) enqueue.sendTo(actor, metNeeds(job.askedAt))
      if (isGroup) enqueue.sendTo(actor, ownSlot(job.askedAt))
      else enqueue.sendParent(slotRequest(context.owner, job.id, job.model))
    }),
    // What nobody waits for any more leaves its job in line; what ended otherwise than needed ends those that need it.
    passOnEnd: enqueueActions(({ context, enqueue }, { end, at }: { end: NeedEnd; at: number }) => {
      if (!context.live.some((live) => needIn(live, end))) return
      const live = context.live.map((each): Live => {
        const { job, actor, blocked } = each
        const need = needIn(each, end)
        if (!blocked || !need) return each
        const open = blocked.open.filter((other) => other !== need)
        if (standingOf(need, end) === "broken") enqueue.sendTo(actor, brokenNeed(end, at))
        else if (open.length > 0) return { job, actor, blocked: { ...blocked, open } }
        else {
          enqueue.sendTo(actor, metNeeds(at))
          if (blocked.isGroup) enqueue.sendTo(actor, ownSlot(at))
          else enqueue.sendParent(slotRequest(context.owner, job, blocked.model))
        }
        return { job, actor }
      })
      enqueue.assign({ live })
    }),
    // A job that goes on with another model stands in line for that one.
    claimAnew: enqueueActions(({ context, enqueue }, { snapshot }: { snapshot: JobSnapshot }) => {
      const isPassedOver = snapshot.matches({ created: "opening" }) && snapshot.context.movedAt !== undefined
      if (!isPassedOver && !snapshot.matches({ prompting: { moving: "opening" } })) return
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
    "need.ended": { actions: { type: "passOnEnd", params: ({ event }) => event } },
    "job.tell": { actions: { type: "tellJob", params: ({ event }) => event } },
    "xstate.snapshot.*": {
      actions: [
        { type: "keepRecord", params: ({ event }) => ({ record: recordOf(event.snapshot) }) },
        { type: "claimAnew", params: ({ event }) => event },
      ],
    },
    "xstate.done.actor.*": {
      actions: [
        // Who hears of records hears of this end before a job that waited for it moves.
        { type: "keepRecord", params: ({ event }) => ({ record: event.output }) },
        { type: "passOnEnd", params: ({ event }) => endIn(event.output) },
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

type Start = { job: JobInput; ended?: NeedEnd[] }

const endIn = (record: JobRecord) => ({ end: endOf(record), at: record.endedAt ?? record.createdAt })

const needIn = ({ blocked }: Live, { id }: NeedEnd) => blocked?.open.find((need) => need.id === id)

const slotRequest = (owner: string, job: string, model: string | undefined): SlotEvent => ({
  type: "slot.request",
  owner,
  job,
  model,
})

const metNeeds = (at: number): JobEvent => ({ type: "needs.met", at })

/** One that stands for others prompts nobody: they need the slots. */
const ownSlot = (at: number): JobEvent => ({ type: "slot.granted", at })

const brokenNeed = (end: NeedEnd, at: number): JobEvent => ({
  type: "need.broken",
  reason: breachOf(end),
  at,
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
