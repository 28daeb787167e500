import { assign, type SnapshotFrom, type StateValue, setup } from "xstate"
import {
  EffectFailure,
  notProvided,
  type OpenSession,
  type PromptChild,
  type PromptChildOutput,
  type StopChild,
  type StopChildOutput,
} from "./effects.ts"
import type { JobEvent, JobInput } from "./events.ts"
import {
  type Activity,
  type Ask,
  type EndedState,
  JOB_PHASES,
  JOB_STATES,
  type JobError,
  type JobPhase,
  type JobRecord,
  type JobState,
  NO_USAGE,
  type Retry,
  type Usage,
} from "./record.ts"

/** Plain JSON throughout, so that the same machine can run on a durable engine. */
export type JobContext = {
  job: JobInput
  /** Empty until opencode has made it. */
  session: string
  /** When it may prompt, for a job whose slot came before its session. */
  slotAt?: number | undefined
  startedAt?: number
  endedAt?: number
  /** What is left of the total time when its clock starts again. Milliseconds. */
  remainingMs: number
  /** When the total time runs out; absent while the clocks stand still. */
  deadlineAt?: number | undefined
  /** When the child counts as lifeless; absent while the clocks stand still. */
  idleAt?: number | undefined
  asks: Ask[]
  retry?: Retry | undefined
  activity?: Activity
  usage: Usage
  text?: string | undefined
  /** How the job ends. The first decision stands. */
  ending?: Ending
}

type Ending = { state: "done"; error?: never } | { state: Exclude<EndedState, "done">; error: JobError }
type Decision = { ending: Ending; at: number }

/** Longest wait for opencode to make a child session, milliseconds. */
const openLimit = 30_000
/** Longest wait for opencode to abort a child and to say what it had written, milliseconds. */
const stopLimit = 5_000

/** Why each transition is there: `reasons.ts`. */
export const jobMachine = setup({
  types: {
    input: {} as JobInput,
    context: {} as JobContext,
    events: {} as JobEvent,
    output: {} as JobRecord,
  },
  actors: {
    openSession: notProvided as OpenSession,
    promptChild: notProvided as PromptChild,
    stopChild: notProvided as StopChild,
  },
  delays: {
    openLimit,
    stopLimit,
    total: ({ context }) => context.remainingMs,
    idle: ({ context }) => context.job.idleMs,
  },
  guards: {
    "has a session": ({ context }) => context.session !== "",
    "has a slot": ({ context }) => context.slotAt !== undefined,
    "ends as": ({ context }, state: EndedState) => context.ending?.state === state,
    "answer is an error": (_, answer: PromptChildOutput) => answer.error !== undefined,
    "was the last ask": ({ context }, ask: string) => context.asks.every(({ id }) => id === ask),
    // Stryker disable next-line OptionalChaining: nobody asks where there is no ask
    "waits for permission": ({ context }) => context.asks[0]?.kind === "permission",
    // Stryker disable next-line OptionalChaining: nobody asks where there is no ask
    "waits for an answer": ({ context }) => context.asks[0]?.kind === "question",
  },
  actions: {
    rememberSlot: assign((_, { at }: { at: number }) => ({ slotAt: at })),
    rememberSession: assign(({ context }, { session, at }: { session: string; at: number }) => ({
      session,
      // A slot that came early is of use only from now on.
      ...(context.slotAt !== undefined && { slotAt: at }),
    })),
    rememberActivity: assign((_, { activity }: { activity: Activity }) => ({ activity })),
    rememberUsage: assign((_, { usage }: { usage: Usage }) => ({ usage })),
    rememberRetry: assign((_, { retry }: { retry: Retry }) => ({ retry })),
    forgetRetry: assign({ retry: undefined }),
    addAsk: assign({
      asks: ({ context }, { ask }: { ask: Ask }) => [...context.asks.filter(({ id }) => id !== ask.id), ask],
    }),
    removeAsk: assign({
      asks: ({ context }, { ask }: { ask: string }) => context.asks.filter(({ id }) => id !== ask),
    }),
    startClocks: assign(({ context }, { at }: { at: number }) => ({
      slotAt: undefined,
      startedAt: context.startedAt ?? at,
      deadlineAt: at + context.remainingMs,
      idleAt: at + context.job.idleMs,
    })),
    restartIdleClock: assign({ idleAt: ({ context }, { at }: { at: number }) => at + context.job.idleMs }),
    stopClocks: assign(({ context }, { at }: { at: number }) => ({
      remainingMs: Math.max(0, (context.deadlineAt ?? at) - at),
      deadlineAt: undefined,
      idleAt: undefined,
    })),
    decideEnd: assign(({ context }, { ending, at }: Decision) =>
      context.ending ? {} : { ending, endedAt: at },
    ),
    keepAnswer: assign(({ context }, answer: PromptChildOutput) => ({
      ending: answer.error ? { state: "failed", error: answer.error } : { state: "done" },
      endedAt: answer.at,
      // A follow-up that fails leaves the earlier answer in place.
      text: answer.error ? (context.job.earlier?.text ?? answer.text) : answer.text,
      usage: answer.usage ?? context.usage,
    })),
    keepPartialText: assign(({ context }, { text, usage }: StopChildOutput) => ({
      text: context.job.earlier?.text ?? text,
      usage: usage ?? context.usage,
    })),
    settle: assign({ deadlineAt: undefined, idleAt: undefined, asks: [], retry: undefined }),
  },
}).createMachine({
  id: "job",
  description:
    "One piece of work in a child session, for one run. It ends exactly once: when the child was asked, by its answer " +
    "or through `stopping`.",
  context: ({ input }) => ({
    job: input,
    session: input.session ?? "",
    remainingMs: input.timeoutMs,
    asks: [],
    usage: input.earlier?.usage ?? NO_USAGE,
    text: input.earlier?.text,
  }),
  // Stryker disable next-line all: every way to an end decides it, which the compiler cannot see
  output: ({ context }) => toRecord(context, context.ending?.state ?? "failed"),
  initial: "created",
  states: {
    created: {
      description: "The child has not been asked yet.",
      initial: "opening",
      states: {
        opening: {
          description: "Its child session is being made.",
          always: { guard: "has a session", target: "queued" },
          invoke: {
            id: "openSession",
            src: "openSession",
            input: ({ context }) => context.job,
            onDone: {
              target: "opened",
              actions: { type: "rememberSession", params: ({ event }) => event.output },
            },
            onError: {
              target: "opened",
              actions: {
                type: "decideEnd",
                params: ({ context, event }) => failure(context, event.error, "create"),
              },
            },
          },
          after: {
            openLimit: {
              target: "opened",
              actions: { type: "decideEnd", params: ({ context }) => openedTooLate(context) },
            },
          },
          on: {
            "slot.granted": { actions: { type: "rememberSlot", params: ({ event }) => event } },
            "job.cancel": { actions: { type: "decideEnd", params: ({ event }) => cancellation(event) } },
          },
        },
        opened: {
          description: "Passed through: how the opening went says where to.",
          always: [
            { guard: { type: "ends as", params: "cancelled" }, target: "#job.cancelled" },
            { guard: { type: "ends as", params: "failed" }, target: "#job.failed" },
            {
              guard: "has a slot",
              target: "#job.prompting",
              actions: { type: "startClocks", params: ({ context }) => ({ at: context.slotAt ?? 0 }) },
            },
            { target: "queued" },
          ],
        },
        queued: {
          description: "It waits for a slot.",
          on: {
            "slot.granted": {
              target: "#job.prompting",
              actions: { type: "startClocks", params: ({ event }) => event },
            },
            "job.cancel": {
              target: "#job.cancelled",
              actions: { type: "decideEnd", params: ({ event }) => cancellation(event) },
            },
          },
        },
      },
    },
    prompting: {
      description: "The child has been asked. The job holds a slot.",
      initial: "running",
      states: {
        running: {
          description: "The prompt is under way. Leaving drops whatever it may still answer.",
          initial: "active",
          invoke: {
            id: "promptChild",
            src: "promptChild",
            input: ({ context }) => ({ job: context.job, session: context.session }),
            onDone: [
              {
                guard: { type: "answer is an error", params: ({ event }) => event.output },
                target: "#job.failed",
                actions: { type: "keepAnswer", params: ({ event }) => event.output },
              },
              {
                target: "#job.done",
                actions: { type: "keepAnswer", params: ({ event }) => event.output },
              },
            ],
            onError: {
              target: "stopping",
              actions: {
                type: "decideEnd",
                params: ({ context, event }) => failure(context, event.error, "prompt"),
              },
            },
          },
          on: {
            "child.spent": { actions: { type: "rememberUsage", params: ({ event }) => event } },
            "job.cancel": {
              target: "stopping",
              actions: { type: "decideEnd", params: ({ event }) => cancellation(event) },
            },
          },
          states: {
            active: {
              description: "The total clock runs, and that for signs of life.",
              initial: "working",
              after: {
                total: {
                  target: "#job.prompting.stopping",
                  actions: { type: "decideEnd", params: ({ context }) => outOfTime(context) },
                },
              },
              on: {
                "child.active": {
                  target: ".working",
                  reenter: false,
                  actions: [
                    { type: "rememberActivity", params: ({ event }) => event },
                    { type: "restartIdleClock", params: ({ event }) => event.activity },
                  ],
                },
                "child.retrying": {
                  target: ".retrying",
                  actions: [
                    { type: "rememberRetry", params: ({ event }) => event },
                    { type: "restartIdleClock", params: ({ event }) => event },
                  ],
                },
                "child.asked": {
                  target: "waiting",
                  actions: [
                    { type: "stopClocks", params: ({ event }) => event },
                    { type: "addAsk", params: ({ event }) => event },
                  ],
                },
              },
              // Stryker disable next-line ObjectLiteral: a machine that lacks targets cannot be made
              states: {
                working: {
                  description:
                    "The model or a tool is at work. Every sign of life enters it again and so restarts the idle clock.",
                  after: {
                    idle: {
                      target: "#job.prompting.stopping",
                      actions: { type: "decideEnd", params: ({ context }) => lifeless(context) },
                    },
                  },
                },
                retrying: {
                  description:
                    "opencode tries again by itself. Each attempt that it tells of is a sign of life.",
                  exit: "forgetRetry",
                  after: {
                    idle: {
                      target: "#job.prompting.stopping",
                      actions: { type: "decideEnd", params: ({ context }) => lifeless(context) },
                    },
                  },
                },
              },
            },
            waiting: {
              description: "No clock runs: the time that people take is not the job's.",
              initial: "permission",
              on: {
                "child.active": { actions: { type: "rememberActivity", params: ({ event }) => event } },
                "child.asked": { actions: { type: "addAsk", params: ({ event }) => event } },
                "child.answered": [
                  {
                    guard: { type: "was the last ask", params: ({ event }) => event.ask },
                    target: "active",
                    actions: [
                      { type: "removeAsk", params: ({ event }) => event },
                      { type: "startClocks", params: ({ event }) => event },
                    ],
                  },
                  { actions: { type: "removeAsk", params: ({ event }) => event } },
                ],
              },
              states: {
                permission: {
                  description: "The child asked for a permission.",
                  always: { guard: "waits for an answer", target: "question" },
                },
                question: {
                  description: "The child asked the user a question.",
                  always: { guard: "waits for permission", target: "permission" },
                },
              },
            },
          },
        },
        stopping: {
          description: "The end is decided: what happens now changes it no more.",
          entry: "settle",
          initial: "aborting",
          states: {
            aborting: {
              description: "The child is aborted, and what it had written is read.",
              invoke: {
                id: "stopChild",
                src: "stopChild",
                input: ({ context }) => ({ job: context.job, session: context.session }),
                onDone: {
                  target: "stopped",
                  actions: { type: "keepPartialText", params: ({ event }) => event.output },
                },
                onError: "stopped",
              },
              after: { stopLimit: "stopped" },
            },
            stopped: { description: "The child is stopped, or opencode does not say.", type: "final" },
          },
          onDone: [
            { guard: { type: "ends as", params: "cancelled" }, target: "#job.cancelled" },
            { guard: { type: "ends as", params: "timedOut" }, target: "#job.timedOut" },
            { target: "#job.failed" },
          ],
        },
      },
    },
    done: { description: "The child's final answer is there.", type: "final", entry: "settle" },
    failed: { description: "No answer; `error` says why.", type: "final", entry: "settle" },
    // Both are come to by way of `stopping`, or before there was anything to settle.
    timedOut: { description: "The total or the idle time ran out.", type: "final" },
    cancelled: { description: "A tool, a person or the end of its owner ended it.", type: "final" },
  },
})

export type JobSnapshot = SnapshotFrom<typeof jobMachine>

/** The job as others see it. */
export function recordOf({ value, context }: Pick<JobSnapshot, "value" | "context">): JobRecord {
  const { state, phase } = placeIn(value)
  return toRecord(context, state, phase)
}

export type Place = { state: JobState; phase?: JobPhase | undefined }

/** Where a job of this state value stands. */
export function placeIn(value: StateValue): Place {
  const path = pathOf(value)
  // Stryker disable next-line StringLiteral: the machine has no other state, which the compiler cannot see
  const state = JOB_STATES.find((name) => name === path[0]) ?? "failed"
  return { state, phase: JOB_PHASES.findLast((known) => path.includes(known)) }
}

function toRecord(context: JobContext, state: JobState, phase?: JobPhase): JobRecord {
  const { job, ending } = context
  return withoutUndefined({
    id: job.id,
    session: context.session,
    owner: job.owner,
    description: job.description,
    agent: job.agent,
    model: job.model,
    state,
    phase,
    run: job.run,
    createdAt: job.createdAt,
    startedAt: context.startedAt,
    endedAt: context.endedAt,
    deadlineAt: context.deadlineAt,
    error: ending?.error,
    text: context.text,
    usage: context.usage,
    activity: context.activity,
    asks: context.asks.length > 0 ? context.asks : undefined,
    retry: context.retry,
  })
}

/** A job has no parallel states: its value is one path. */
function pathOf(value: StateValue): string[] {
  if (typeof value === "string") return [value]
  return Object.entries(value).flatMap(([name, inner = {}]) => [name, ...pathOf(inner)])
}

function cancellation({ reason, at }: { reason: string; at: number }): Decision {
  return { ending: { state: "cancelled", error: { kind: "cancelled", message: reason } }, at }
}

function failure(context: JobContext, thrown: unknown, kind: "create" | "prompt"): Decision {
  const known = EffectFailure.safeParse(thrown)
  const { at, ...error } = known.success
    ? known.data
    : { kind, message: String(thrown), at: context.startedAt ?? context.job.askedAt }
  return { ending: { state: "failed", error }, at }
}

function openedTooLate({ job }: JobContext): Decision {
  const message = `opencode did not make the child session within ${inSeconds(openLimit)}`
  return { ending: { state: "failed", error: { kind: "create", message } }, at: job.askedAt + openLimit }
}

function outOfTime({ job, deadlineAt = job.askedAt }: JobContext): Decision {
  const message = `not done within ${inSeconds(job.timeoutMs)}`
  return { ending: { state: "timedOut", error: { kind: "total", message } }, at: deadlineAt }
}

function lifeless({ job, idleAt = job.askedAt }: JobContext): Decision {
  const message = `no sign of life for ${inSeconds(job.idleMs)}`
  return { ending: { state: "timedOut", error: { kind: "idle", message } }, at: idleAt }
}

const inSeconds = (ms: number) => `${ms / 1000} s`

/** Records are JSON: a field that has no value is not there. */
function withoutUndefined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> }
