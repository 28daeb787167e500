import type { JobView } from "../../feed/job-view.ts"
import { signOf, stateWords } from "../model/words.ts"

/** A job's state or phase as sign, word and colour. */
export function StateBadge({ job }: { job: Pick<JobView, "state" | "phase" | "holdUntil"> }) {
  return (
    <span
      class={`badge is-${job.state} in-${job.holdUntil === undefined ? (job.phase ?? "none") : "hold"}`}
      title={job.phase && `${job.state}.${job.phase}`}
    >
      <span aria-hidden="true" class="sign">
        {signOf(job)}
      </span>
      {job.phase && <span class="hidden">{stateWords[job.state].word}, </span>}
      <span>{job.holdUntil === undefined ? (job.phase ?? stateWords[job.state].word) : "on hold"}</span>
    </span>
  )
}
