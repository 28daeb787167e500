import type { JobRecord } from "../../machines/record.ts"
import type { Toast } from "../host/port.ts"
import { excerpt } from "../records/words.ts"

/** What a child waits for, in words. */
export type OpenRequest = { id: string; text: string; session: string }
export type EndedJob = Pick<JobRecord, "id" | "state" | "error" | "session" | "owner">
/** Jobs of a batch: how many, how many of them have ended, and those of which the person has not been told. */
export type Ends = { started: number; ended: number; untold: readonly EndedJob[] }

/** Characters of a reason. */
const reasonLength = 80
/** Jobs that are named; the others are counted. */
const mostFailures = 2
const mostNames = 3

type Requests = { requests: readonly OpenRequest[]; shownRequest?: string | undefined }

/** `lint (Run the linter) asks for permission: bash: npm ci · 1 more request is open` */
export function requestToast({ requests, shownRequest }: Requests, duration: number): Toast {
  const shown = requests.find(({ id }) => id === shownRequest)
  const words = shown ? [shown.text] : []
  const more = requests.length - 1
  if (more > 0) words.push(more === 1 ? "1 more request is open" : `${more} more requests are open`)
  return {
    message: words.join(" · "),
    variant: "warning",
    duration,
    ...(shown && { leadsTo: { session: shown.session, command: "answer" } }),
  }
}

/** `lint failed: 401, docs done · 5 of 8 ended` */
export function endsToast({ untold, ...jobs }: Ends, duration: number): Toast {
  const failures = untold.filter(isFailure)
  const words = [
    ...failures.slice(0, mostFailures).map(failureWords),
    ...(failures.length > mostFailures ? [`${failures.length - mostFailures} more failed`] : []),
    ...named(untold, "cancelled"),
    ...named(untold, "done"),
  ].join(", ")
  const isGood = untold.every(({ state }) => state === "done")
  return {
    message: jobs.started > 1 ? `${words} · ${countWords(jobs)}` : words,
    variant: failures.length > 0 ? "error" : isGood ? "success" : "info",
    duration,
    ...leadTo(untold),
  }
}

export const isFailure = ({ state }: EndedJob): boolean => state === "failed" || state === "timedOut"

/** To what one job alone has done, of several to their owner. */
function leadTo([job, ...others]: readonly EndedJob[]): Pick<Toast, "leadsTo"> {
  if (!job) return {}
  const session = others.length === 0 && job.session !== "" ? job.session : job.owner
  return { leadsTo: { session, command: "jobs" } }
}

function failureWords({ id, state, error }: EndedJob): string {
  const what = state === "failed" ? "failed" : "timed out"
  return error ? `${id} ${what}: ${excerpt(error.message, reasonLength)}` : `${id} ${what}`
}

function named(ended: readonly EndedJob[], state: "cancelled" | "done"): string[] {
  const ids = ended.filter((job) => job.state === state).map(({ id }) => id)
  if (ids.length === 0) return []
  return [`${ids.length > mostNames ? ids.length : ids.join(", ")} ${state}`]
}

const countWords = ({ started, ended }: Omit<Ends, "untold">) =>
  ended === started ? `all ${started} ended` : `${ended} of ${started} ended`

/** All that is wrong in the options. */
export function problemsToast(problems: readonly string[], duration: number): Toast {
  return { message: problems.join("\n"), variant: "warning", duration }
}

export function linkToast(url: string, duration: number): Toast {
  // A line of its own: a terminal opens a link only as far as its line goes.
  return { message: `Watch the jobs:\n${url}`, variant: "info", duration }
}

/** @param title that of the session where they wait; none where there are several */
export function waitingToast(count: number, title: string | undefined, duration: number): Toast {
  const results = count === 1 ? "1 result is waiting" : `${count} results are waiting`
  const where =
    title === undefined
      ? "in earlier sessions; continue one to have its results delivered"
      : `in “${excerpt(title)}”; continue that session to have ${count === 1 ? "it" : "them"} delivered`
  return { message: `${results} ${where}`, variant: "info", duration }
}
