import { visible } from "../../../util/visible.ts"
import type { JobView } from "../../feed/job-view.ts"
import { hrefTo } from "../model/address.ts"
import { itemsOf, type Needed, openNeeds } from "../model/graph.ts"
import { addressOf } from "../model/words.ts"

/** Most names in a line: the job's page has all of them. */
const most = 4

/** `waits for auth, db`: those that have not ended; each name leads to its job. */
export function WaitsFor({ job }: { job: JobView }) {
  const open = openNeeds(job)
  const items = itemsOf(job)
  const named = open.slice(0, most)
  const more = open.length - named.length
  return (
    <span class="waits-for">
      {open.length === 0 ? "all that it needs has ended" : "waits for "}
      {items.length > most && more > 0 ? (
        `${open.length} of its ${items.length} jobs`
      ) : (
        <>
          {named.map((needed, index) => (
            <span key={needed.need.id}>
              {index > 0 && ", "}
              <NeedLink needed={needed} />
            </span>
          ))}
          {more > 0 && ` and ${more} more`}
        </>
      )}
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
