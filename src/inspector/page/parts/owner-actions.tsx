import { signal } from "@preact/signals"
import type { JobView } from "../../feed/job-view.ts"
import { cancelAll, sendTo } from "../model/api.ts"
import { allJobs, isReadOnly } from "../model/jobs.ts"
import type { BatchRow, OwnerRow } from "../model/list.ts"
import { canRunAgain, meantBy, meantWords } from "../model/tree.ts"
import { addressOf, isLive } from "../model/words.ts"
import { Confirm } from "./confirm.tsx"

type Group = { owner: string; batch?: string }
/** `jobs`: those that it was about when it was asked. */
type Asked = Group & { what: "cancel" | "again"; jobs: readonly JobView[] }
const asked = signal<Asked | undefined>(undefined)

function askFor(what: Asked["what"], group: Group): void {
  const isMeant = what === "cancel" ? isLive : canRunAgain
  const { owner, batch } = group
  const jobs = allJobs
    .peek()
    .filter((job) => job.owner === owner && (batch === undefined || job.batch === batch) && isMeant(job))
  asked.value = { what, jobs, ...group }
}

/** What can be done with all jobs of an owner, or of one batch. */
export function OwnerActions({ row }: { row: OwnerRow | BatchRow }) {
  if (isReadOnly.value) return null
  const group: Group = row.kind === "batch" ? { owner: row.owner, batch: row.batch } : { owner: row.owner }
  return (
    <span class="group-actions">
      {row.again > 0 && (
        <button type="button" class="small" onClick={() => askFor("again", group)}>
          Run {row.again} again…
        </button>
      )}
      {row.isLive && (
        <button type="button" class="small danger" onClick={() => askFor("cancel", group)}>
          Cancel all…
        </button>
      )}
    </span>
  )
}

/** Outside of the list, whose rows come and go. */
export function OwnerDialog() {
  if (!asked.value) return null
  const { what, owner, batch, jobs } = asked.value
  const close = () => (asked.value = undefined)
  const whose = batch === undefined ? "of this owner" : "of this batch"
  if (what === "cancel") {
    return (
      <Confirm
        title={`Cancel ${meantWords(jobs)}?`}
        text={`Aborts all jobs ${whose} that have not ended, whether the search shows them or not, and what they have started. What they have written is kept.`}
        field="Reason"
        confirm={`Cancel ${meantWords(jobs)}`}
        isDanger
        isOptional
        onConfirm={(reason) => cancelAll(owner, batch, reason)}
        onClose={close}
      />
    )
  }
  return (
    <Confirm
      title={`Run ${meantWords(jobs)} again?`}
      text={`Each job ${whose} that failed or timed out gets this follow-up: a new run in the same child session, which knows what it has done. Those that failed for want of one of them go on by themselves once it is done.`}
      field="Message"
      confirm={`Run ${meantWords(jobs)} again`}
      suggestion="Your last run did not end well. Look at what you have done, and finish what you were asked to do."
      onConfirm={(message) => sendToAll(jobs, message)}
      onClose={close}
    />
  )
}

/** @throws Error that says which did not take it: once more is for them alone */
async function sendToAll(jobs: readonly JobView[], message: string): Promise<void> {
  const refused: JobView[] = []
  const why: string[] = []
  for (const job of jobs)
    await sendTo(addressOf(job), message).catch((error: unknown) => {
      refused.push(job)
      why.push(`${job.id}: ${error instanceof Error ? error.message : String(error)}`)
    })
  if (refused.length === 0) return
  if (asked.value) asked.value = { ...asked.value, jobs: refused }
  const meant = meantBy(jobs)
  const left = meant.filter((job) => !refused.includes(job))
  throw new Error(`${left.length} of ${meantWords(jobs)} run again. ${why.join("; ")}`)
}
