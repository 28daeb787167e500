import type { SnapshotFrom } from "xstate"
import type { JobInput } from "./events.ts"
import { checkInput } from "./job-answer.ts"
import type { JobContext } from "./job-context.ts"
import {
  breach,
  cancellation,
  failure,
  inactive,
  movedTooLate,
  notLeft,
  notOpened,
  notRepeated,
  openedTooLate,
  outOfTime,
  stillChecked,
} from "./job-ending.ts"
import { failureOf, tooLate, unavailable } from "./job-fallbacks.ts"
import { toRecord } from "./job-record.ts"
import { jobSetup } from "./job-setup.ts"
import { type JobRecord, NO_USAGE } from "./record.ts"

/** Why each transition is there: `reasons.ts`. */
export const jobMachine = jobSetup.createMachine({
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
