import { signal } from "@preact/signals"
import type { JobView } from "../../feed/job-view.ts"
import { cancelAll, sendTo } from "../model/api.ts"
import { allJobs, isReadOnly } from "../model/jobs.ts"
import type { BatchRow, OwnerRow } from "../model/list.ts"
import { hasFailed } from "../model/tree.ts"
import { addressOf, isLive } from "../model/words.ts"
import { Confirm } from "./confirm.tsx"

type Group = { owner: string; batch?: string }
const asked = signal<({ what: "cancel" | "again" } & Group) | undefined>(undefined)

/** What can be done with all jobs of an owner, or of one batch. */
export function OwnerActions({ row }: { row: OwnerRow | BatchRow }) {
  if (isReadOnly.value) return null
  const group: Group = row.kind === "batch" ? { owner: row.owner, batch: row.batch } : { owner: row.owner }
  return (
    <span class="group-actions">
      {row.failed > 0 && (
        <button type="button" class="small" onClick={() => (asked.value = { what: "again", ...group })}>
          Run failed again…
        </button>
      )}
      {row.live > 0 && (
        <button
          type="button"
          class="small danger"
          onClick={() => (asked.value = { what: "cancel", ...group })}
        >
          Cancel all…
        </button>
      )}
    </span>
  )
}

/** Outside of the list, whose rows come and go. */
export function OwnerDialog() {
  if (!asked.value) return null
  const { what, owner, batch } = asked.value
  const close = () => (asked.value = undefined)
  const jobs = allJobs.value.filter(
    (job) => job.owner === owner && (batch === undefined || job.batch === batch),
  )
  const whose = batch === undefined ? "of this owner" : "of this batch"
  if (what === "cancel") {
    const running = jobs.filter(isLive).length
    return (
      <Confirm
        title={`Cancel ${jobWords(running)}?`}
        text={`Aborts all jobs ${whose} that have not ended, whether the search shows them or not, and what they have started. What they have written is kept.`}
        field="Reason"
        confirm={`Cancel ${jobWords(running)}`}
        isDanger
        isOptional
        onConfirm={(reason) => cancelAll(owner, batch, reason)}
        onClose={close}
      />
    )
  }
  const failed = jobs.filter((job) => hasFailed(job) && job.session !== "")
  return (
    <Confirm
      title={`Run ${jobWords(failed.length)} again?`}
      text={`Each job ${whose} that failed or timed out gets this follow-up: a new run in the same child session, which knows what it has done.`}
      field="Message"
      confirm={`Run ${jobWords(failed.length)} again`}
      suggestion="Your last run did not end well. Look at what you have done, and finish what you were asked to do."
      onConfirm={(message) => sendToAll(failed, message)}
      onClose={close}
    />
  )
}

/** @throws Error that says which did not take it */
async function sendToAll(jobs: readonly JobView[], message: string): Promise<void> {
  const refusals: string[] = []
  for (const job of jobs)
    await sendTo(addressOf(job), message).catch((error: unknown) =>
      refusals.push(`${job.id}: ${error instanceof Error ? error.message : String(error)}`),
    )
  if (refusals.length > 0)
    throw new Error(`${jobs.length - refusals.length} of ${jobs.length} run again. ${refusals.join("; ")}`)
}

const jobWords = (count: number) => `${count} ${count === 1 ? "job" : "jobs"}`
