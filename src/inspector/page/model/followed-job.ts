import { effect } from "@preact/signals"
import type { JobView } from "../../feed/job-view.ts"
import type { JobAnswer } from "../../http/api.ts"
import { loadJob } from "./api.ts"
import { findJob } from "./jobs.ts"

/** Shortest time between two loads while the state stays the same, milliseconds: growing text can wait. */
const pace = 1_000

/**
 * Loads the job with its history, and again whenever the feed says that it changed: one load at a time, and each is
 * told. A job that changes faster than it loads is seen as it was a moment ago, and not only when it has come to rest.
 *
 * @param tell `problem`: why the last load failed; empty if it did not
 * @returns what ends that
 */
export function followJob(
  address: string,
  tell: (job: JobAnswer | undefined, problem: string) => void,
): () => void {
  let loaded: JobAnswer | undefined
  let problem = ""
  /** What the feed said when the last load began, or what has no more than what was loaded. */
  let before: { view: JobView | undefined } | undefined
  let isLoading = false
  let isOver = false
  let due = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const load = async () => {
    isLoading = true
    before = { view: findJob(address) }
    due = Date.now() + pace
    problem = await loadJob(address).then(
      (job) => {
        loaded = job
        return ""
      },
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    isLoading = false
    if (isOver) return
    tell(loaded, problem)
    plan()
  }

  const plan = () => {
    const view = findJob(address)
    clearTimeout(timer)
    if (isLoading || (before && before.view === view)) return
    if (view && loaded && problem === "" && isIn(view, loaded)) {
      before = { view }
      return
    }
    const isOther = loaded?.state !== view?.state || loaded?.phase !== view?.phase
    timer = setTimeout(load, isOther ? 0 : Math.max(0, due - Date.now()))
  }

  const leave = effect(plan)
  return () => {
    isOver = true
    leave()
    clearTimeout(timer)
  }
}

/** The feed tells of much that a load has already seen: of a job that was just opened, of most. */
const isIn = ({ project: _project, ...view }: JobView, loaded: JobAnswer) =>
  JSON.stringify(view) === JSON.stringify(recordOf(loaded))

function recordOf(loaded: JobAnswer) {
  const {
    project: _p,
    text: _t,
    noText: _n,
    history: _h,
    requests: _r,
    can: _c,
    budgets: _b,
    ...rest
  } = loaded
  const { structured: _s, noStructured: _ns, ...record } = rest
  return record
}
