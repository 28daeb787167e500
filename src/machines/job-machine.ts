import { assign, type SnapshotFrom, setup } from "xstate"
import { redError, stillRuns } from "./check-words.ts"
import { clockTime } from "./durations.ts"
import {
  type CheckInput,
  type CheckOutput,
  EffectFailure,
  type LeaveChild,
  type LeaveChildOutput,
  type LookForAnswer,
  notProvided,
  type OpenSession,
  type OpenSessionOutput,
  type PromptChild,
  type PromptChildOutput,
  type RecordEnd,
  type RunCheck,
  type StopChild,
  type StopChildOutput,
} from "./effects.ts"
import type { CancelKind, JobEvent, JobInput, ModelChoice } from "./events.ts"
import type { Ending, JobContext } from "./job-context.ts"
import { toRecord } from "./job-record.ts"
import { providerOf } from "./limits.ts"
import {
  type Activity,
  type Ask,
  type Attempt,
  boundedMessage,
  type EndedState,
  type JobError,
  type JobRecord,
  NO_USAGE,
  type Retry,
  type Usage,
  withAttempts,
  withoutAttempts,
  withSubagent,
} from "./record.ts"

type Decision = { ending: Ending; at: number }

/** Longest wait for opencode to make a child session, milliseconds. */
const openLimit = 30_000
/** The same with the worktree of a job that is to have one. */
const isolationLimit = 300_000
/** Longest wait for opencode to store how a job ends, milliseconds. */
export const recordLimit = 2_000
/** Longest wait for opencode to abort a child and to say what it had written, milliseconds. */
export const stopLimit = 5_000
/** The same where what it has done in its worktree is committed then. */
const commitLimit = 60_000
/**
 * Longest wait for opencode to abort a child that its job leaves, and to say what it has done, milliseconds: nobody is
 * kept waiting by it, and without it the job fails.
 */
const leaveLimit = 30_000
/** How long a child has to be idle before its messages are looked at, milliseconds: steps have pauses between them. */
const lullLimit = 5_000
/**
 * Where its job has a fallback: how far away the next try of a model or the end of its hold may be, milliseconds, and
 * how many tries may fail.
 */
const longestPause = 60_000
const mostRetries = 5

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
    lookForAnswer: notProvided as LookForAnswer,
    runCheck: notProvided as RunCheck,
    recordEnd: notProvided as RecordEnd,
    leaveChild: notProvided as LeaveChild,
    stopChild: notProvided as StopChild,
  },
  delays: {
    openLimit: ({ context }) => openLimitOf(context.job),
    recordLimit,
    stopLimit: ({ context }) => (context.job.worktree ? commitLimit : stopLimit),
    leaveLimit,
    lullLimit,
    total: ({ context }) => context.remainingMs,
    idle: ({ context }) => context.job.idleMs,
    // Nothing is to be heard of it before opencode's own next attempt.
    idleAfterRetry: ({ context, event }) => context.job.idleMs + pauseOf(event),
  },
  guards: {
    "has a session": ({ context }) => context.session !== "" && context.movedAt === undefined,
    "is blocked": ({ context }) => context.isBlocked,
    "has a slot": ({ context }) => context.slotAt !== undefined,
    "was ended in its session": ({ context }) => context.session !== "" && context.ending !== undefined,
    "ends as": ({ context }, state: EndedState) => context.ending?.state === state,
    "answer is an error": (_, answer: PromptChildOutput) => answer.error !== undefined,
    "has to pass a check": ({ context: { job } }) => job.hasToPass !== undefined && !job.each,
    passed: (_, { exitCode }: CheckOutput) => exitCode === 0,
    "may be corrected": ({ context: { job, check } }) => (check?.round ?? 0) < (job.hasToPass?.attempts ?? 0),
    "another model may do": ({ context }, { isUnavailable }: PromptChildOutput) =>
      isUnavailable === true && hasFallback(context),
    "another model may be sooner": ({ context }, { retry, at, isSubagents }: Retrying) =>
      hasFallback(context) && !isSubagents && (retry.next - at > longestPause || retry.attempt > mostRetries),
    "another model may start sooner": ({ context }) => isFreeToMove(context) && isHeldForLong(context),
    "another model may start before": ({ context }, { until, at }: Held) =>
      isFreeToMove(context) && isHeldForLong({ holdUntil: until, heldAt: at }),
    "may have changed something": (_, { changed }: LeaveChildOutput) => changed.length > 0,
    "is to end": ({ context }) => context.ending !== undefined,
    "runs a tool": ({ context }) => context.tools.length > 0,
    "was the last ask": ({ context }, ask: string) => context.asks.every(({ id }) => id === ask),
    "waits for permission": ({ context }) => context.asks[0]?.kind === "permission",
    "waits for an answer": ({ context }) => context.asks[0]?.kind === "question",
  },
  actions: {
    unblock: assign({ isBlocked: false }),
    rememberSlot: assign(({ context }, { model = context.job.model, at }: Granted) =>
      // One for the model that it has left is given back by the new claim.
      model === context.job.model ? { slotAt: at } : {},
    ),
    rememberHold: assign(({ context }, { until, at }: Held) => ({
      holdUntil: until,
      heldAt: until === undefined ? undefined : at,
      // A slot that came before the session goes back.
      slotAt: until === undefined ? context.slotAt : undefined,
    })),
    rememberSession: assign(({ context }, { session, worktree, at }: OpenSessionOutput) => ({
      session,
      ...(worktree && { job: { ...context.job, worktree } }),
      movedAt: undefined,
      // A slot that came early is of use only from now on.
      ...(context.slotAt !== undefined && { slotAt: at }),
    })),
    rememberActivity: assign((_, { activity }: { activity: Activity }) => ({ activity })),
    rememberUsage: assign(({ context }, { usage }: { usage: Usage }) => ({
      usage: withAttempts(usage, context.job.attempts),
    })),
    rememberSubagent: assign(({ context: { job } }, told: SubagentSpent) => ({
      job: { ...job, subagents: withSubagent(job.subagents, told) },
    })),
    rememberRetry: assign(({ context }, { retry, at }: { retry: Retry; at: number }) => ({
      retry,
      idleAt: Math.max(at, retry.next) + context.job.idleMs,
      // The model is asked, so no tool of it runs.
      tools: [],
    })),
    addTool: assign({
      tools: ({ context }, { call }: { call: string }) => [
        ...context.tools.filter((each) => each !== call),
        call,
      ],
    }),
    removeTool: assign({
      tools: ({ context }, { call }: { call: string }) => context.tools.filter((each) => each !== call),
    }),
    forgetTools: assign({ tools: [] }),
    forgetRetry: assign({ retry: undefined }),
    addAsk: assign({
      asks: ({ context }, { ask }: { ask: Ask }) => [...context.asks.filter(({ id }) => id !== ask.id), ask],
    }),
    removeAsk: assign({
      asks: ({ context }, { ask }: { ask: string }) => context.asks.filter(({ id }) => id !== ask),
    }),
    startClocks: assign(({ context }, { at }: { at: number }) => ({
      slotAt: undefined,
      holdUntil: undefined,
      heldAt: undefined,
      startedAt: context.startedAt ?? Math.max(at, context.job.createdAt),
      deadlineAt: at + context.remainingMs,
      idleAt: at + context.job.idleMs,
      ...waitOver(context, at),
    })),
    restartIdleClock: assign({ idleAt: ({ context }, { at }: { at: number }) => at + context.job.idleMs }),
    stopIdleClock: assign({ idleAt: undefined }),
    stopClocks: assign(({ context }, { at }: { at: number }) => ({
      remainingMs: remainingAt(context, at),
      deadlineAt: undefined,
      idleAt: undefined,
      waitingSince: at,
    })),
    decideEnd: assign(({ context }, { ending, at }: Decision) =>
      context.ending ? {} : { ending, endedAt: endOf(context, at), ...waitOver(context, at) },
    ),
    keepAnswer: assign(({ context }, answer: PromptChildOutput) => ({
      ...withWorktree(context, answer),
      ending: answer.error ? { state: "failed", error: answer.error } : { state: "done" },
      endedAt: endOf(context, answer.at),
      // A follow-up that fails leaves the earlier answer in place.
      text: isAnswer(answer)
        ? withUndelivered(context, answer.text)
        : (context.job.earlier?.text ?? answer.text),
      isTruncated: isAnswer(answer) ? answer.isTruncated : undefined,
      structured: answer.structured,
      formerItems: answer.formerItems,
      usage: usageNow(context, answer.usage),
      ...waitOver(context, answer.at),
    })),
    // The total clock runs on; nothing that its child has opened is left.
    keepToCheck: assign(({ context }, answer: PromptChildOutput) => ({
      answer,
      ...withWorktree(context, answer),
      remainingMs: remainingAt(context, answer.at),
      deadlineAt: answer.at + remainingAt(context, answer.at),
      idleAt: undefined,
      usage: usageNow(context, answer.usage),
      asks: [],
      tools: [],
      ...waitOver(context, answer.at),
    })),
    keepCheck: assign(({ context }, { exitCode, output, endedAt, worktree }: CheckOutput) => ({
      ...withWorktree(context, { worktree }),
      check: {
        round: (context.check?.round ?? 0) + 1,
        ...(exitCode !== undefined && { exitCode }),
        output,
        endedAt,
      },
    })),
    askAgain: assign(({ context }, { at }: { at: number }) => {
      const remainingMs = remainingAt(context, at)
      return { answer: undefined, remainingMs, deadlineAt: at + remainingMs, idleAt: at + context.job.idleMs }
    }),
    keepCheckedAnswer: assign(({ context }, { at }: { at: number }) => checkedAnswer(context, at)),
    // The child was never asked.
    keepEarlierText: assign({ text: ({ context: { job } }) => (job.earlier ? job.earlier.text : "") }),
    keepPartialText: assign(({ context }, { text, usage, worktree }: StopChildOutput) => ({
      ...withWorktree(context, { worktree }),
      text: context.answer
        ? withUndelivered(context, context.answer.text)
        : (context.job.earlier?.text ?? text),
      usage: usageNow(context, usage),
    })),
    leaveModel: assign(({ context }, { failure, at }: { failure: JobError; at: number }) => ({
      failure,
      remainingMs: remainingAt(context, at),
      deadlineAt: undefined,
      idleAt: undefined,
      asks: [],
      tools: [],
    })),
    // A follow-up goes on with it, in the same session.
    nameNext: assign(({ context }) => ({ job: withNext(context, {}) })),
    moveOn: assign(({ context }, output: LeaveChildOutput & { at: number }) => movedOn(context, output)),
    passModelOver: assign(({ context }) => passedOver(context)),
    // As with `nameNext`: a follow-up goes on with the next model, in the session that the job still has.
    stayInSession: assign(({ context }) => stayed(context)),
    settle: assign({ deadlineAt: undefined, idleAt: undefined, asks: [], retry: undefined }),
  },
}).createMachine({
  id: "job",
  description:
    "One piece of work in a child session, for one run. It ends exactly once: after the child was prompted, by its " +
    "answer or through `stopping`.",
  context: ({ input }) => ({
    job: input,
    session: input.session ?? "",
    isBlocked: mustWait(input),
    remainingMs: input.timeoutMs,
    waitedMs: 0,
    asks: [],
    tools: [],
    check: input.checked,
    usage: input.earlier?.usage ?? NO_USAGE,
    text: input.earlier?.text,
  }),
  output: ({ context }) => endedRecord(context),
  initial: "created",
  states: {
    created: {
      description: "The child has not been prompted yet.",
      initial: "opening",
      on: {
        "slot.held": { actions: { type: "rememberHold", params: ({ event }) => event } },
        "subagent.spent": { actions: { type: "rememberSubagent", params: ({ event }) => event } },
      },
      states: {
        opening: {
          description: "Its child session is being created.",
          always: { guard: "has a session", target: "opened" },
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
              actions: [
                { type: "decideEnd", params: ({ context, event }) => notOpened(context, event.error) },
                "stayInSession",
              ],
            },
          },
          after: {
            openLimit: {
              target: "opened",
              actions: [
                { type: "decideEnd", params: ({ context }) => openedTooLate(context) },
                "stayInSession",
              ],
            },
          },
          on: {
            "needs.met": { actions: "unblock" },
            "need.broken": { actions: { type: "decideEnd", params: ({ event }) => breach(event) } },
            "slot.granted": { actions: { type: "rememberSlot", params: ({ event }) => event } },
            "job.cancel": { actions: { type: "decideEnd", params: ({ event }) => cancellation(event) } },
          },
        },
        opened: {
          description: "Transient: the outcome of the opening decides what comes next.",
          always: [
            { guard: "was ended in its session", target: "stopping" },
            {
              guard: { type: "ends as", params: "cancelled" },
              target: "#job.cancelled",
              actions: "keepEarlierText",
            },
            {
              guard: { type: "ends as", params: "failed" },
              target: "#job.failed",
              actions: "keepEarlierText",
            },
            { guard: "is blocked", target: "blocked" },
            {
              guard: "has a slot",
              target: "#job.prompting",
              actions: { type: "startClocks", params: ({ context }) => ({ at: context.slotAt ?? 0 }) },
            },
            {
              guard: "another model may start sooner",
              target: "opening",
              actions: "passModelOver",
            },
            { target: "queued" },
          ],
        },
        blocked: {
          description: "It waits for the jobs that it needs. Until they have ended it is in no queue.",
          on: {
            "needs.met": { target: "queued", actions: "unblock" },
            "need.broken": {
              target: "stopping",
              actions: { type: "decideEnd", params: ({ event }) => breach(event) },
            },
            "job.cancel": {
              target: "stopping",
              actions: { type: "decideEnd", params: ({ event }) => cancellation(event) },
            },
          },
        },
        queued: {
          description: "It waits for a slot.",
          on: {
            "slot.held": [
              {
                guard: { type: "another model may start before", params: ({ event }) => event },
                target: "opening",
                actions: [{ type: "rememberHold", params: ({ event }) => event }, "passModelOver"],
              },
              { actions: { type: "rememberHold", params: ({ event }) => event } },
            ],
            "slot.granted": {
              target: "#job.prompting",
              actions: { type: "startClocks", params: ({ event }) => event },
            },
            "job.cancel": {
              target: "stopping",
              actions: { type: "decideEnd", params: ({ event }) => cancellation(event) },
            },
          },
        },
        stopping: {
          description: "It ends before the child was prompted. That is stored before anybody is told.",
          entry: "keepEarlierText",
          invoke: {
            id: "recordEnd",
            src: "recordEnd",
            input: ({ context }) => endedRecord(context),
            onDone: "stopped",
            onError: "stopped",
          },
          after: { recordLimit: "stopped" },
        },
        stopped: {
          description: "Transient: it ends as was decided.",
          always: [
            { guard: { type: "ends as", params: "cancelled" }, target: "#job.cancelled" },
            { target: "#job.failed" },
          ],
        },
      },
    },
    prompting: {
      description: "The child has been prompted. The job holds a slot.",
      initial: "running",
      on: { "subagent.spent": { actions: { type: "rememberSubagent", params: ({ event }) => event } } },
      states: {
        running: {
          description: "The prompt is under way. Leaving this state drops whatever it may still return.",
          initial: "active",
          invoke: {
            id: "promptChild",
            src: "promptChild",
            input: ({ context: { job, session, check } }) => ({ job, session, ...(check && { red: check }) }),
            onDone: [
              {
                guard: { type: "another model may do", params: ({ event }) => event.output },
                target: "moving",
                actions: { type: "leaveModel", params: ({ event }) => unavailable(event.output) },
              },
              {
                guard: { type: "answer is an error", params: ({ event }) => event.output },
                target: "#job.failed",
                actions: { type: "keepAnswer", params: ({ event }) => event.output },
              },
              {
                guard: "has to pass a check",
                target: "checking",
                actions: { type: "keepToCheck", params: ({ event }) => event.output },
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
              description: "The total clock runs.",
              initial: "working",
              after: {
                total: {
                  target: "#job.prompting.stopping",
                  actions: { type: "decideEnd", params: ({ context }) => outOfTime(context) },
                },
              },
              on: {
                "child.active": [
                  {
                    guard: "runs a tool",
                    actions: { type: "rememberActivity", params: ({ event }) => event },
                  },
                  {
                    target: ".working",
                    actions: [
                      { type: "rememberActivity", params: ({ event }) => event },
                      { type: "restartIdleClock", params: ({ event }) => event.activity },
                    ],
                  },
                ],
                "tool.started": {
                  target: ".runningTool",
                  actions: { type: "addTool", params: ({ event }) => event },
                },
                "child.retrying": [
                  {
                    guard: { type: "another model may be sooner", params: ({ event }) => event },
                    target: "#job.prompting.moving",
                    actions: { type: "leaveModel", params: ({ event }) => tooLate(event) },
                  },
                  {
                    target: ".retrying",
                    actions: { type: "rememberRetry", params: ({ event }) => event },
                  },
                ],
                "child.asked": {
                  target: "waiting",
                  actions: [
                    { type: "stopClocks", params: ({ event }) => event },
                    { type: "addAsk", params: ({ event }) => event },
                  ],
                },
              },
              states: {
                working: {
                  description:
                    "The model is at work. Each activity enters this state again, which restarts the idle clock.",
                  initial: "busy",
                  always: { guard: "runs a tool", target: "runningTool" },
                  after: {
                    idle: {
                      target: "#job.prompting.stopping",
                      actions: { type: "decideEnd", params: ({ context }) => inactive(context) },
                    },
                  },
                  states: {
                    busy: {
                      description: "opencode is working for the child.",
                      on: { "child.idle": "lull" },
                    },
                    lull: {
                      description: "opencode says that the child is idle, but its prompt has not returned.",
                      after: { lullLimit: "looking" },
                    },
                    looking: {
                      description: "The answer may have got lost: the child's messages are searched for it.",
                      invoke: {
                        id: "lookForAnswer",
                        src: "lookForAnswer",
                        input: ({ context }) => ({ job: context.job, session: context.session }),
                        onDone: "lull",
                        onError: "lull",
                      },
                    },
                  },
                },
                runningTool: {
                  description:
                    "A tool of the child runs. It may be silent for as long as it takes: the idle clock is paused.",
                  entry: "stopIdleClock",
                  on: {
                    "tool.ended": {
                      target: "working",
                      actions: [
                        { type: "removeTool", params: ({ event }) => event },
                        { type: "restartIdleClock", params: ({ event }) => event },
                      ],
                    },
                    "child.idle": {
                      target: "working.lull",
                      actions: ["forgetTools", { type: "restartIdleClock", params: ({ event }) => event }],
                    },
                  },
                },
                retrying: {
                  description:
                    "opencode tries again by itself. The idle clock starts with its next attempt: until then no activity can come.",
                  exit: "forgetRetry",
                  after: {
                    idleAfterRetry: {
                      target: "#job.prompting.stopping",
                      actions: { type: "decideEnd", params: ({ context }) => inactive(context) },
                    },
                  },
                  on: {
                    "child.idle": {
                      target: "working.lull",
                      actions: { type: "restartIdleClock", params: ({ event }) => event },
                    },
                  },
                },
              },
            },
            waiting: {
              description: "No clock runs: the time that people take does not count.",
              initial: "permission",
              on: {
                "child.active": { actions: { type: "rememberActivity", params: ({ event }) => event } },
                "tool.started": { actions: { type: "addTool", params: ({ event }) => event } },
                "tool.ended": { actions: { type: "removeTool", params: ({ event }) => event } },
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
                  description: "The child requested a permission.",
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
        checking: {
          description:
            "The child has answered. The command that has to pass runs: it is the activity, so that the total clock runs and the idle clock does not.",
          invoke: {
            id: "runCheck",
            src: "runCheck",
            input: ({ context }) => checkInput(context),
            onDone: [
              {
                guard: { type: "passed", params: ({ event }) => event.output },
                target: "#job.done",
                actions: [
                  { type: "keepCheck", params: ({ event }) => event.output },
                  { type: "keepCheckedAnswer", params: ({ event }) => event.output },
                ],
              },
              {
                guard: "may be corrected",
                target: "running",
                actions: [
                  { type: "keepCheck", params: ({ event }) => event.output },
                  { type: "askAgain", params: ({ event }) => event.output },
                ],
              },
              {
                target: "#job.failed",
                actions: [
                  { type: "keepCheck", params: ({ event }) => event.output },
                  { type: "keepCheckedAnswer", params: ({ event }) => event.output },
                ],
              },
            ],
            onError: {
              target: "stopping",
              actions: {
                type: "decideEnd",
                params: ({ context, event }) => failure(context, event.error, "check"),
              },
            },
          },
          after: {
            total: {
              target: "stopping",
              actions: {
                type: "decideEnd",
                params: ({ context }) => outOfTime(context, stillChecked(context)),
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
        },
        moving: {
          description:
            "Its model cannot be had. The next one is asked the same, in a fresh child session and in a slot for that model. No clock runs.",
          initial: "leaving",
          on: { "slot.held": { actions: { type: "rememberHold", params: ({ event }) => event } } },
          states: {
            leaving: {
              description: "The child is aborted, and what it has done decides whether it can be left.",
              invoke: {
                id: "leaveChild",
                src: "leaveChild",
                input: ({ context }) => ({
                  job: context.job,
                  session: context.session,
                  error: failureOf(context),
                }),
                onDone: [
                  {
                    guard: { type: "may have changed something", params: ({ event }) => event.output },
                    target: "#job.prompting.stopping",
                    actions: [
                      {
                        type: "decideEnd",
                        params: ({ context, event }) => notRepeated(context, event.output),
                      },
                      "nameNext",
                    ],
                  },
                  { target: "opening", actions: { type: "moveOn", params: ({ event }) => event.output } },
                ],
                onError: {
                  target: "#job.prompting.stopping",
                  actions: {
                    type: "decideEnd",
                    params: ({ context, event }) => notLeft(context, event.error),
                  },
                },
              },
              after: {
                leaveLimit: {
                  target: "#job.prompting.stopping",
                  actions: { type: "decideEnd", params: ({ context }) => notLeft(context, undefined) },
                },
              },
              on: {
                "job.cancel": {
                  target: "#job.prompting.stopping",
                  actions: { type: "decideEnd", params: ({ event }) => cancellation(event) },
                },
              },
            },
            opening: {
              description: "The child session for the next model is being created.",
              invoke: {
                id: "openSession",
                src: "openSession",
                input: ({ context }) => context.job,
                onDone: [
                  {
                    guard: "is to end",
                    target: "#job.prompting.stopping",
                    actions: { type: "rememberSession", params: ({ event }) => event.output },
                  },
                  {
                    guard: "has a slot",
                    target: "#job.prompting.running",
                    actions: [
                      { type: "rememberSession", params: ({ event }) => event.output },
                      { type: "startClocks", params: ({ event }) => event.output },
                    ],
                  },
                  {
                    guard: "another model may start sooner",
                    target: "opening",
                    reenter: true,
                    actions: [
                      { type: "rememberSession", params: ({ event }) => event.output },
                      "passModelOver",
                    ],
                  },
                  {
                    target: "queued",
                    actions: { type: "rememberSession", params: ({ event }) => event.output },
                  },
                ],
                onError: {
                  target: "#job.prompting.stopping",
                  actions: [
                    { type: "decideEnd", params: ({ context, event }) => notOpened(context, event.error) },
                    "stayInSession",
                  ],
                },
              },
              after: {
                openLimit: {
                  target: "#job.prompting.stopping",
                  actions: [
                    { type: "decideEnd", params: ({ context }) => movedTooLate(context) },
                    "stayInSession",
                  ],
                },
              },
              on: {
                "slot.granted": { actions: { type: "rememberSlot", params: ({ event }) => event } },
                "job.cancel": { actions: { type: "decideEnd", params: ({ event }) => cancellation(event) } },
              },
            },
            queued: {
              description: "It waits for a slot for the next model.",
              on: {
                "slot.held": [
                  {
                    guard: { type: "another model may start before", params: ({ event }) => event },
                    target: "opening",
                    actions: [{ type: "rememberHold", params: ({ event }) => event }, "passModelOver"],
                  },
                  { actions: { type: "rememberHold", params: ({ event }) => event } },
                ],
                "slot.granted": {
                  target: "#job.prompting.running",
                  actions: { type: "startClocks", params: ({ event }) => event },
                },
                "job.cancel": {
                  target: "#job.prompting.stopping",
                  actions: { type: "decideEnd", params: ({ event }) => cancellation(event) },
                },
              },
            },
          },
        },
        stopping: {
          description: "The end is decided. Nothing that happens now changes it.",
          entry: "settle",
          initial: "recording",
          states: {
            recording: {
              description: "The end is stored before the child is aborted and before anybody is told.",
              invoke: {
                id: "recordEnd",
                src: "recordEnd",
                input: ({ context }) => endedRecord(context),
                onDone: "aborting",
                onError: "aborting",
              },
              after: { recordLimit: "aborting" },
            },
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
            stopped: { description: "The child has stopped, or opencode did not confirm it.", type: "final" },
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

/** The record as it will be once the end that is decided has come. */
function endedRecord(context: JobContext): JobRecord {
  return toRecord(context, context.ending?.state ?? "failed")
}

const mustWait = ({ needs = [], hasBegun }: JobInput) => needs.length > 0 && !hasBegun

/** The clock may have been set back: nothing ends before it began. */
const endOf = ({ startedAt, job }: JobContext, at: number) => Math.max(at, startedAt ?? job.createdAt)

/** One that does not fit its schema is an answer all the same. */
const isAnswer = ({ error }: PromptChildOutput) => error === undefined || error.kind === "schema"

/** The run's answer, after what its owner would otherwise never be given. */
function withUndelivered({ job: { earlier } }: JobContext, answer: string): string {
  const before = earlier?.isUndelivered ? earlier.text : undefined
  return [before, answer].filter((text) => text).join("\n\n")
}

/** What the effect is to check, which the compiler cannot see to be there wherever this is called. */
function checkInput({ job, session, check: last, answer }: JobContext): CheckInput {
  if (!job.hasToPass || !answer) throw new Error("there is no answer to check")
  // Where opencode names no message, the answer is known by when it was given.
  const message = answer.message ?? { id: `${answer.at}`, at: answer.at }
  return { job, session, check: job.hasToPass, round: (last?.round ?? 0) + 1, answer: message }
}

const withWorktree = ({ job }: JobContext, { worktree }: Pick<PromptChildOutput, "worktree">) =>
  worktree ? { job: { ...job, worktree } } : {}

/** The answer counts as it is, or as the check has found it wanting. */
function checkedAnswer(context: JobContext, at: number): Partial<JobContext> {
  const { job, answer, check } = context
  if (!answer || !check) return {}
  return {
    ending:
      check.exitCode === 0
        ? { state: "done" }
        : { state: "failed", error: redError(job.hasToPass?.command ?? "", check.round, check.exitCode) },
    endedAt: endOf(context, at),
    text: withUndelivered(context, answer.text),
    isTruncated: answer.isTruncated,
    structured: check.exitCode === 0 ? answer.structured : undefined,
  }
}

const hasFallback = ({ job }: JobContext) => (job.fallbacks ?? []).length > 0

type Granted = Omit<Extract<JobEvent, { type: "slot.granted" }>, "type">
type Held = Omit<Extract<JobEvent, { type: "slot.held" }>, "type">
type SubagentSpent = Extract<JobEvent, { type: "subagent.spent" }>
type Retrying = Extract<JobEvent, { type: "child.retrying" }>

const unavailable = ({ error, at }: PromptChildOutput) => ({ failure: error ?? unknownFailure, at })

function tooLate({ retry, at }: Retrying): { failure: JobError; at: number } {
  const seconds = Math.round((retry.next - at) / 1000)
  const why =
    retry.attempt > mostRetries ? `it failed ${retry.attempt} times` : `its next try would be in ${seconds} s`
  return { failure: { kind: "provider", message: `${boundedMessage(retry.reason)} (${why})` }, at }
}

const unknownFailure: JobError = { kind: "provider", message: "no reason was given" }

const failureOf = ({ failure }: JobContext): JobError => failure ?? unknownFailure

function movedOn(
  context: JobContext,
  { prompt, usage, at }: LeaveChildOutput & { at: number },
): Partial<JobContext> {
  const { session } = context
  const used = usage ?? withoutAttempts(context.usage, context.job.attempts)
  const job = { ...withNext(context, { session, usage: used }), prompt }
  return {
    job,
    usage: withAttempts(NO_USAGE, job.attempts),
    // Its session knows nothing of one.
    check: undefined,
    failure: undefined,
    // A slot is one for a model, whichever its variant.
    slotAt: job.model === context.job.model ? at : undefined,
  }
}

/** The model's hold lasts too long. Its child was never asked, so that there is nothing to stop or to tell the next. */
function passedOver(context: JobContext): Partial<JobContext> {
  const { session, job, holdUntil = 0, heldAt = 0 } = context
  const fallbacks = job.fallbacks?.slice(job.fallbacks.findIndex(isOfAnotherModel(job)))
  const message = `${providerOf(job.model) ?? "its provider"} on hold until ${clockTime(holdUntil, heldAt)}`
  return {
    job: withNext(
      { ...context, job: { ...job, fallbacks }, failure: { kind: "provider", message } },
      { session },
    ),
    movedAt: heldAt,
    slotAt: undefined,
  }
}

/** A session that an earlier run or process has left may have been asked already; the one that a move makes has not. */
const isFreeToMove = ({ job, startedAt }: JobContext) =>
  (job.session === undefined || job.isUnasked === true || startedAt !== undefined) &&
  (job.fallbacks ?? []).some(isOfAnotherModel(job))

/** A hold is for all variants of a model. */
const isOfAnotherModel =
  ({ model }: JobInput) =>
  (other: ModelChoice) =>
    other.model !== model

const isHeldForLong = ({ holdUntil = 0, heldAt = 0 }: Pick<JobContext, "holdUntil" | "heldAt">) =>
  holdUntil - heldAt > longestPause

/** No session was made for the next model: that the one before was left is no reason to look for it elsewhere. */
function stayed({ job, session }: JobContext): Partial<JobContext> {
  const left = job.attempts?.at(-1)
  if (!left || left.session !== session) return {}
  const { session: _session, usage: _usage, ...attempt } = left
  return { job: { ...job, attempts: [...(job.attempts ?? []).slice(0, -1), attempt] } }
}

function withNext(context: JobContext, left: Pick<Attempt, "session" | "usage">): JobInput {
  const { job } = context
  const [next, ...fallbacks] = job.fallbacks ?? []
  const attempts = [...(job.attempts ?? []), { model: job.model, error: failureOf(context), ...left }]
  return { ...job, model: next?.model, variant: next?.variant, fallbacks, attempts }
}

function usageNow({ job, usage: known }: JobContext, usage: Usage | undefined): Usage {
  return usage ? withAttempts(usage, job.attempts) : known
}

/** What is left of the total time. Where the clock was set back, that is no more than there was. */
function remainingAt({ remainingMs, deadlineAt }: JobContext, at: number): number {
  if (deadlineAt === undefined) return remainingMs
  return Math.min(remainingMs, Math.max(0, deadlineAt - at))
}

/** The wait for people that is under way ends. */
function waitOver({ waitedMs, waitingSince }: JobContext, at: number) {
  return { waitedMs: waitedMs + Math.max(0, at - (waitingSince ?? at)), waitingSince: undefined }
}

/** How long opencode pauses before its next attempt. Milliseconds. */
function pauseOf(event: JobEvent): number {
  return event.type === "child.retrying" ? Math.max(0, event.retry.next - event.at) : 0
}

type Cancel = { reason: string; kind?: CancelKind | undefined; at: number }

function cancellation({ reason, kind = "cancelled", at }: Cancel): Decision {
  return { ending: { state: "cancelled", error: { kind, message: boundedMessage(reason) } }, at }
}

function breach({ reason, at }: { reason: string; at: number }): Decision {
  return { ending: { state: "failed", error: { kind: "dependency", message: reason } }, at }
}

function failure(context: JobContext, thrown: unknown, kind: "create" | "prompt" | "check"): Decision {
  const known = EffectFailure.safeParse(thrown)
  const { at, ...error } = known.success
    ? known.data
    : { kind, message: boundedMessage(String(thrown)), at: context.startedAt ?? context.job.askedAt }
  return { ending: { state: error.kind === "cancelled" ? "cancelled" : "failed", error }, at }
}

function notOpened(context: JobContext, thrown: unknown): Decision {
  const { ending, at } = failure(context, thrown, "create")
  return ending.error?.kind === "create" ? unopened(context, ending.error.message, at) : { ending, at }
}

const isToGetWorktree = ({ isolation, worktree }: JobInput) =>
  isolation !== undefined && worktree === undefined

const openLimitOf = (job: JobInput) => (isToGetWorktree(job) ? isolationLimit : openLimit)

function openedTooLate(context: JobContext): Decision {
  const { job, movedAt = job.askedAt } = context
  const limit = openLimitOf(job)
  const at = movedAt + limit
  if (!isToGetWorktree(job)) return unopened(context, openedLate(limit), at)
  const message = `its worktree and its child session were not made within ${inSeconds(limit)}`
  return { ending: { state: "failed", error: { kind: "isolation", message } }, at }
}

function movedTooLate(context: JobContext): Decision {
  const { job, startedAt = job.askedAt } = context
  return unopened(context, openedLate(openLimitOf(job)), startedAt)
}

const openedLate = (limit: number) => `opencode did not make the child session within ${inSeconds(limit)}`

/** Of a job that has left a model, the reason why is that of its failure too. */
function unopened({ job }: JobContext, why: string, at: number): Decision {
  const left = job.attempts?.at(-1)
  const message = left
    ? `${left.error.message}. ${job.model} was not asked instead: ${why}. agents_send has it go on where the job is.`
    : why
  return { ending: { state: "failed", error: { kind: "create", message } }, at }
}

function notRepeated(context: JobContext, { changed, at }: LeaveChildOutput & { at: number }): Decision {
  const { kind, message } = failureOf(context)
  const words =
    `${message}. ${nextOf(context)} was not asked instead: ${changed.join(", ")} had run by then, and what that has ` +
    "changed is not to be done twice. agents_send has it go on where the job is."
  return { ending: { state: "failed", error: { kind, message: words } }, at }
}

function notLeft(context: JobContext, thrown: unknown): Decision {
  const { kind, message } = failureOf(context)
  const known = EffectFailure.safeParse(thrown)
  const why = known.success ? known.data.message : `opencode gave no answer within ${inSeconds(leaveLimit)}`
  const words = `${message}. ${nextOf(context)} was not asked instead, since the child could not be stopped: ${why}`
  const at = known.success ? known.data.at : (context.startedAt ?? context.job.askedAt)
  return { ending: { state: "failed", error: { kind, message: words } }, at }
}

const nextOf = ({ job }: JobContext) => job.fallbacks?.[0]?.model ?? "the next model"

function outOfTime({ job, deadlineAt = job.askedAt }: JobContext, during = ""): Decision {
  const message = `not done within ${inSeconds(job.timeoutMs)}${during}`
  return { ending: { state: "timedOut", error: { kind: "total", message } }, at: deadlineAt }
}

const stillChecked = ({ job, check }: JobContext) =>
  `: ${stillRuns(job.hasToPass?.command ?? "", (check?.round ?? 0) + 1)}`

function inactive({ job, idleAt = job.askedAt }: JobContext): Decision {
  const message = `no activity for ${inSeconds(job.idleMs)}`
  return { ending: { state: "timedOut", error: { kind: "idle", message } }, at: idleAt }
}

const inSeconds = (ms: number) => `${ms / 1000} s`
