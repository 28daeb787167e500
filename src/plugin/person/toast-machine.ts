import { type ActorRefFrom, assign, setup } from "xstate"
import type { Reasons } from "../../machines/reasons.ts"
import type { Toast } from "../host/port.ts"
import {
  type EndedJob,
  type Ends,
  endsToast,
  isFailure,
  type OpenRequest,
  requestToast,
} from "./toast-words.ts"

/** Plain JSON. */
export type ToastContext = {
  /** The open requests of all children, oldest first. `isDue`: still to be shown. */
  requests: (OpenRequest & { isDue: boolean })[]
  /** The request that is shown, or was the last to be. */
  shownRequest?: string | undefined
  /** What the person is to read, oldest first. */
  notices: Toast[]
  /** How long the current notice stays on screen. Milliseconds. */
  noticeMs: number
  /** Those of which jobs run or whose ends were not shown yet, oldest first. */
  batches: Batch[]
  /** The ends that are shown, or were the last to be. */
  shownEnds?: Ends | undefined
}

/** Jobs of one start. */
type Batch = Ends & { key: string }

export type ToastEvent =
  | { type: "request.opened"; request: OpenRequest }
  | { type: "request.closed"; id: string }
  | { type: "notice.added"; toast: Toast }
  | { type: "job.started"; batch: string }
  | { type: "job.ended"; batch: string; job: EndedJob }

/** Ends within it are shown in one toast, milliseconds. */
const gatherTime = 400
/** How long a request stays on screen unless it is answered, milliseconds. */
const requestMs = 20_000
/** How long a notice stays on screen that does not say so, milliseconds. */
const noticeMs = 5_000
/** How long ends are shown, and how long at least before further ends take their place, milliseconds. */
const endsMs = 5_000
const readTime = 2_500

/**
 * What a person sees of this plugin in opencode's one toast, whose next one takes the place of the last. What stands
 * there until it was read, and what comes meanwhile, waits here.
 */
export const toastMachine = setup({
  types: {
    context: {} as ToastContext,
    events: {} as ToastEvent,
  },
  delays: {
    gatherTime,
    readTime,
    requestTime: requestMs,
    noticeTime: ({ context }) => context.noticeMs,
  },
  guards: {
    "a request is due": ({ context }) => context.requests.some(({ isDue }) => isDue),
    "a notice is due": ({ context }) => context.notices.length > 0,
    "an end is due": ({ context }) => context.batches.some(isDue),
    "is shown": ({ context }, id: string) => context.shownRequest === id,
  },
  actions: {
    /** Provided: has opencode show it. */
    show: (_, _toast: Toast | undefined) => {},
    addRequest: assign({
      requests: ({ context }, { request }: { request: OpenRequest }) => [
        ...context.requests,
        { ...request, isDue: true },
      ],
    }),
    removeRequest: assign({
      requests: ({ context }, { id }: { id: string }) => context.requests.filter((each) => each.id !== id),
    }),
    takeRequest: assign(({ context: { requests } }) => {
      const newest = requests.findLast(({ isDue }) => isDue)
      return {
        requests: requests.map((each) => (each === newest ? { ...each, isDue: false } : each)),
        shownRequest: newest?.id,
      }
    }),
    putBack: assign({
      requests: ({ context: { requests, shownRequest } }) =>
        requests.map((each) => (each.id === shownRequest ? { ...each, isDue: true } : each)),
    }),
    addNotice: assign({
      notices: ({ context }, { toast }: { toast: Toast }) => [...context.notices, toast],
    }),
    takeNotice: assign(({ context: { notices } }) => ({
      notices: notices.slice(1),
      noticeMs: notices[0]?.duration ?? noticeMs,
    })),
    countStart: assign({
      batches: ({ context }, { batch: key }: { batch: string }) =>
        change(context.batches, key, (batch) => ({ ...batch, started: batch.started + 1 })),
    }),
    keepEnd: assign({
      batches: ({ context }, { batch: key, job }: { batch: string; job: EndedJob }) =>
        change(context.batches, key, (batch) => ({
          ...batch,
          ended: batch.ended + 1,
          untold: [...batch.untold, job],
        })),
    }),
    takeEnds: assign(({ context: { batches } }) => {
      const due = batches.filter(isDue)
      const sum = (count: (batch: Batch) => number) => due.reduce((all, each) => all + count(each), 0)
      return {
        // Its batch may have gone on while others were waited for.
        shownEnds:
          due.length === 0
            ? undefined
            : {
                started: sum(({ started }) => started),
                ended: sum(({ ended }) => ended),
                untold: due.flatMap(({ untold }) => untold),
              },
        batches: batches.flatMap((each) => {
          if (!isDue(each)) return [each]
          return isOver(each) ? [] : [{ ...each, untold: [] }]
        }),
      }
    }),
  },
}).createMachine({
  id: "toasts",
  description: "The one toast that opencode shows at a time. Requests come first, then notices, then ends.",
  context: { requests: [], notices: [], noticeMs, batches: [] },
  on: {
    "request.opened": { actions: { type: "addRequest", params: ({ event }) => event } },
    "request.closed": { actions: { type: "removeRequest", params: ({ event }) => event } },
    "notice.added": { actions: { type: "addNotice", params: ({ event }) => event } },
    "job.started": { actions: { type: "countStart", params: ({ event }) => event } },
    "job.ended": { actions: { type: "keepEnd", params: ({ event }) => event } },
  },
  initial: "free",
  states: {
    free: {
      description: "Nothing that must stay is on screen.",
      always: [
        { guard: "a request is due", target: "request" },
        { guard: "a notice is due", target: "notice" },
        { guard: "an end is due", target: "gathering" },
      ],
    },
    request: {
      description: "A child waits for the person, and the toast says for what. Everything else waits.",
      entry: ["takeRequest", { type: "show", params: ({ context }) => requestToast(context, requestMs) }],
      after: { requestTime: "free" },
      on: {
        "request.opened": {
          target: "request",
          reenter: true,
          actions: ["putBack", { type: "addRequest", params: ({ event }) => event }],
        },
        "request.closed": {
          guard: { type: "is shown", params: ({ event }) => event.id },
          target: "free",
          actions: { type: "removeRequest", params: ({ event }) => event },
        },
      },
    },
    notice: {
      description:
        "The person reads something: the inspector's link, invalid options. Everything else waits.",
      entry: [{ type: "show", params: ({ context }) => context.notices[0] }, "takeNotice"],
      after: { noticeTime: "free" },
    },
    gathering: {
      description: "A job has failed, or the last one of its batch has ended; others may be about to.",
      after: { gatherTime: "ends" },
      on: {
        "request.opened": {
          target: "request",
          actions: { type: "addRequest", params: ({ event }) => event },
        },
        "notice.added": {
          target: "notice",
          actions: { type: "addNotice", params: ({ event }) => event },
        },
      },
    },
    ends: {
      description:
        "The person reads which jobs have ended, of whatever batches. A request does not wait for that.",
      entry: [
        "takeEnds",
        { type: "show", params: ({ context: { shownEnds } }) => shownEnds && endsToast(shownEnds, endsMs) },
      ],
      after: { readTime: "free" },
      on: {
        "request.opened": {
          target: "request",
          actions: { type: "addRequest", params: ({ event }) => event },
        },
      },
    },
  },
})

const isOver = ({ started, ended }: Batch) => ended >= started

/** What goes well is told once all is over. */
const isDue = (batch: Batch) => batch.untold.some(isFailure) || (batch.untold.length > 0 && isOver(batch))

/** Changes this one, which there may not be yet. */
function change(batches: Batch[], key: string, how: (batch: Batch) => Batch): Batch[] {
  if (batches.some((each) => each.key === key))
    return batches.map((each) => (each.key === key ? how(each) : each))
  return [...batches, how({ key, started: 0, ended: 0, untold: [] })]
}

export type ToastActor = ActorRefFrom<typeof toastMachine>

/** Why each transition is there. */
export const toastReasons: Reasons = {
  root: {
    "request.opened": "It is shown once the current toast has been read.",
    "request.closed": "It needs nobody any more.",
    "notice.added": "It is shown once the current toast has been read.",
    "job.started": "Its batch is not over before it has ended.",
    "job.ended": "A failure is shown, with what has ended by then; all else once the whole batch has ended.",
  },
  free: {
    "at once, if a request is due": "A child cannot continue until the person has answered.",
    "at once, if a notice is due": "The person is to read it; ends can be counted later.",
    "at once, if an end is due": "Where one has failed, others often do.",
  },
  request: {
    "after requestTime": "opencode takes the toast away; the request itself is still open there.",
    "request.opened": "The person is needed for both: the newest is shown, the other again after it.",
    "request.closed, if is shown": "It was answered, or its job has ended: others may be shown.",
  },
  notice: { "after noticeTime": "There was time to read it." },
  gathering: {
    "after gatherTime": "All that ended by now is shown in one line.",
    "request.opened": "A request does not wait for ends.",
    "notice.added": "The ends are shown after it.",
  },
  ends: {
    "after readTime": "There was time to read it: jobs that have ended since may take its place.",
    "request.opened": "A request does not wait for ends to be read.",
  },
}
