import { visible } from "../../../util/visible.ts"
import type { JobView } from "../../feed/job-view.ts"
import { hrefTo } from "../model/address.ts"
import { itemsOf, type Needed, openNeeds } from "../model/graph.ts"
import { addressOf, isLive } from "../model/words.ts"

/** Most names in a line: the job's page has all of them. */
const most = 4

/** Whether it waits for other jobs, and does nothing itself. */
export const isWaiting = ({ state, phase, isGroup }: JobView) =>
  phase === "blocked" || (isGroup === true && state === "prompting" && phase !== "stopping")

/** `waits for auth, db`: those that have not ended; each name leads to its job. */
export function WaitsFor({ job }: { job: JobView }) {
  const open = openNeeds(job)
  if (job.phase !== "blocked") {
    const items = itemsOf(job)
    return (
      <span class="waits-for">{`waits for ${items.filter(isLive).length} of its ${items.length} jobs`}</span>
    )
  }
  const named = open.slice(0, most)
  const more = open.length - named.length
  return (
    <span class="waits-for">
      {open.length === 0 ? "all that it needs has ended" : "waits for "}
      {named.map((needed, index) => (
        <span key={needed.need.id}>
          {index > 0 && ", "}
          <NeedLink needed={needed} />
        </span>
      ))}
      {more > 0 && ` and ${more} more`}
    </span>
  )
}

/** One that is not known leads nowhere. */
export function NeedLink({ needed: { need, job } }: { needed: Needed }) {
  if (!job) return <code title="It is not known here">{need.id}</code>
  return (
    <a class="need" href={hrefTo({ job: addressOf(job) })} title={visible(job.description)}>
      <code>{need.id}</code>
    </a>
  )
}
