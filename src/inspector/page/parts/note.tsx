import type { JobView } from "../../feed/job-view.ts"
import { noteOf } from "../model/answers.ts"
import { now } from "../model/jobs.ts"
import { isWaiting, WaitsFor } from "./waits-for.tsx"
import { Words } from "./words.tsx"

/** A job in a line: what it waits for or does, why it failed, or what it has answered. */
export function Note({ job }: { job: JobView }) {
  if (isWaiting(job)) return <WaitsFor job={job} />
  return <Words text={noteOf(job, now.value)} />
}
