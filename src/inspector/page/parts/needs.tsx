import { useEffect } from "preact/hooks"
import type { JobView } from "../../feed/job-view.ts"
import { lookForAnswer } from "../model/answers.ts"
import { brokenBy, dependentsOf, itemsOf, type Needed, neededBy } from "../model/graph.ts"
import { JobLink } from "./job-link.tsx"
import { Note } from "./note.tsx"
import { StateBadge } from "./state-badge.tsx"
import { NeedLink } from "./waits-for.tsx"

export const hasNeeds = (job: JobView) => job.needs !== undefined || dependentsOf(job).length > 0

/** What a job needs and who needs it, each with how it stands. */
export function Needs({ job }: { job: JobView }) {
  const asNeeded = (each: JobView): Needed => ({ need: { id: each.id, on: "done" }, job: each })
  return (
    <>
      <List title="It needs" needed={neededBy(job)} isFree />
      <List title="Its jobs, one for each item" needed={itemsOf(job).map(asNeeded)} />
      <List title="Needed by" needed={dependentsOf(job).map(asNeeded)} />
    </>
  )
}

/** `isFree`: it says where a need may end in any way. */
type ListProps = { title: string; needed: readonly Needed[]; isFree?: boolean }

function List({ title, needed, isFree = false }: ListProps) {
  const jobs = needed.flatMap(({ job }) => job ?? [])
  useEffect(() => jobs.forEach(lookForAnswer), [jobs.map(({ state, run }) => `${state} ${run}`).join()])
  if (needed.length === 0) return null
  return (
    <section aria-label={title} class="needs">
      <h3>{title}</h3>
      <ul>
        {needed.map((each) => (
          <li key={each.need.id}>
            {each.job ? (
              <>
                <StateBadge job={each.job} />
                <div>
                  <JobLink job={each.job} />
                  <p class="clip quiet">
                    <Note job={each.job} />
                    {isFree && each.need.on === "ended" && <span> · however it ends</span>}
                  </p>
                </div>
              </>
            ) : (
              <p class="quiet">
                <NeedLink needed={each} /> is not known here.
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** Where the cause is of a job that failed for want of another, first the need itself. */
export function Broken({ job }: { job: JobView }) {
  const chain = brokenBy(job)
  const [need, ...causes] = chain
  if (!need) return null
  const cause = causes.at(-1)
  const link = (each: JobView) => <NeedLink needed={{ need: { id: each.id, on: "done" }, job: each }} />
  return (
    <p>
      The need that broke: {link(need)} <StateBadge job={need} />
      {cause && (
        <>
          , because of {link(cause)} <StateBadge job={cause} />
        </>
      )}
    </p>
  )
}

/** That there is no work of its own to be looked for. */
export function GroupWords({ job }: { job: JobView }) {
  if (!job.isGroup) return null
  const { length } = itemsOf(job)
  const jobs = length === 1 ? "1 job" : `${length} jobs`
  return (
    <p class="quiet">
      It is a group: it stands for {length === 0 ? "the items that another job finds" : jobs}, one for each
      item, and is never prompted itself.
    </p>
  )
}
