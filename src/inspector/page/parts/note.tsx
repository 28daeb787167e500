import type { JobView } from "../../feed/job-view.ts"
import { noteOf } from "../model/answers.ts"
import { now } from "../model/jobs.ts"
import { fallbackWords } from "../model/words.ts"
import { isWaiting, WaitsFor } from "./waits-for.tsx"
import { Words } from "./words.tsx"

/** A job in a line: what it waits for or does, why it failed, or what it has answered. */
export function Note({ job }: { job: JobView }) {
  if (isWaiting(job)) return <WaitsFor job={job} />
  const fallback = fallbackWords(job)
  const note = noteOf(job, now.value)
  return (
    <>
      {fallback !== undefined && (
        <span class="quiet">
          <Words text={fallback} />
          {note !== "" && " · "}
        </span>
      )}
      <Words text={note} />
    </>
  )
}
