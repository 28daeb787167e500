import { descriptionOf } from "../../../machines/description.ts"
import type { JobView } from "../../feed/job-view.ts"
import { hrefTo } from "../model/address.ts"
import { itemsOf } from "../model/graph.ts"
import { addressOf } from "../model/words.ts"
import { Words } from "./words.tsx"

/** A job's id and description, as a link to it. */
export function JobLink({ job }: { job: JobView }) {
  const items = itemsOf(job)
  return (
    <a class="job-link" href={hrefTo({ job: addressOf(job) })}>
      <code>{job.id}</code> <Words text={descriptionOf(job)} />
      {job.isGroup && <span class="quiet"> · group{items.length > 0 && ` of ${items.length}`}</span>}
    </a>
  )
}
