import { assign, setup } from "xstate"
import {
  type CheckOutput,
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
import type { EventOf, JobEvent, JobInput } from "./events.ts"
import { checkedAnswer, isAnswer, usageNow, withUndelivered, withWorktree } from "./job-answer.ts"
import {
  commitLimit,
  endOf,
  leaveLimit,
  lullLimit,
  pauseOf,
  recordLimit,
  remainingAt,
  stopLimit,
  waitOver,
} from "./job-clock.ts"
import type { JobContext } from "./job-context.ts"
import { type Decision, openLimitOf } from "./job-ending.ts"
import {
  hasFallback,
  isFreeToMove,
  isHeldForLong,
  isTooLate,
  movedOn,
  passedOver,
  stayed,
  withNext,
} from "./job-fallbacks.ts"
import {
  type Activity,
  type Ask,
  type EndedState,
  type JobError,
  type JobRecord,
  type Retry,
  type Usage,
  withAttempts,
  withSubagent,
} from "./record.ts"

/** What a job can do: `job-machine.ts` says when. */
export const jobSetup = setup({
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
    "another model may be sooner": ({ context }, event: EventOf<"child.retrying">) =>
      hasFallback(context) && isTooLate(event),
    "another model may start sooner": ({ context }) => isFreeToMove(context) && isHeldForLong(context),
    "another model may start before": ({ context }, { until, at }: EventOf<"slot.held">) =>
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
    rememberSlot: assign(({ context }, { model = context.job.model, at }: EventOf<"slot.granted">) =>
      // One for the model that it has left is given back by the new claim.
      model === context.job.model ? { slotAt: at } : {},
    ),
    rememberHold: assign((_, { until, at }: EventOf<"slot.held">) => ({
      holdUntil: until,
      heldAt: until === undefined ? undefined : at,
      // Only jobs that wait are told. A slot that came before the session has gone back.
      slotAt: undefined,
    })),
    rememberSession: assign(({ context }, { session, worktree, at }: OpenSessionOutput) => ({
      session,
      ...(worktree && { job: { ...context.job, worktree } }),
      movedAt: undefined,
      openedAt: at,
      // A slot that came early is of use only from now on.
      ...(context.slotAt !== undefined && { slotAt: at }),
    })),
    rememberActivity: assign((_, { activity }: { activity: Activity }) => ({ activity })),
    rememberUsage: assign(({ context }, { usage }: { usage: Usage }) => ({
      usage: withAttempts(usage, context.job.attempts),
    })),
    rememberSubagent: assign(({ context: { job } }, told: EventOf<"subagent.spent">) => ({
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
      movedAt: at,
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
})
