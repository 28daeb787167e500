import { useSignal } from "@preact/signals"
import type { JobAnswer } from "../../http/api.ts"
import { cancelJob, sendTo } from "../model/api.ts"
import { addressOf, isLive } from "../model/words.ts"
import { Confirm } from "./confirm.tsx"

type Asked = "cancel" | "send" | undefined

export const SEND_ID = "send"
export const CANCEL_ID = "cancel"

/** What a person can do with a job. What is not possible now stays visible and says why. */
export function JobActions({ job }: { job: JobAnswer }) {
  const asked = useSignal<Asked>(undefined)
  const copied = useSignal<"no" | "yes" | "refused">("no")
  const close = () => (asked.value = undefined)
  const where = addressOf(job)
  const sendName = isLive(job) ? "Send message" : "Follow-up"
  const copy = async () => {
    const json = JSON.stringify(job, null, 2)
    copied.value = await navigator.clipboard.writeText(json).then(
      () => "yes" as const,
      () => "refused" as const,
    )
    setTimeout(() => (copied.value = "no"), 4_000)
  }
  return (
    <div class="actions">
      <Action id={SEND_ID} name={`${sendName}…`} why={job.can.send} onClick={() => (asked.value = "send")} />
      <Action
        id={CANCEL_ID}
        name="Cancel…"
        why={job.can.cancel}
        isDanger
        onClick={() => (asked.value = "cancel")}
      />
      <button type="button" onClick={copy}>
        {copied.value === "yes" ? "Copied" : "Copy JSON"}
      </button>
      <p class={copied.value === "refused" ? "why" : "hidden"} role="status">
        {copied.value === "yes" && "Copied"}
        {copied.value === "refused" && "Copy JSON: the browser denied access to the clipboard"}
      </p>
      <Why id={`why-${SEND_ID}`} name={sendName} why={job.can.send} />
      <Why id={`why-${CANCEL_ID}`} name="Cancel" why={job.can.cancel} />
      {asked.value === "cancel" && (
        <Confirm
          title={`Cancel ${job.id}?`}
          text="This aborts its child session and cancels every job that it started. What it has written is kept."
          field="Reason"
          confirm="Cancel the job"
          isDanger
          isOptional
          onConfirm={(reason) => cancelJob(where, reason)}
          onClose={close}
        />
      )}
      {asked.value === "send" && (
        <Confirm
          title={`${sendName}: ${job.id}`}
          text={
            isLive(job)
              ? "The child gets the message at its next step."
              : "Starts a new run in the same child session."
          }
          field="Message"
          confirm="Send"
          onConfirm={(message) => sendTo(where, message)}
          onClose={close}
        />
      )}
    </div>
  )
}

type ActionProps = { id: string; name: string; why: string | undefined; isDanger?: boolean; onClick(): void }

/** Not `disabled`: the keyboard skips a disabled button, and nobody would learn why. */
function Action({ id, name, why, isDanger = false, onClick }: ActionProps) {
  return (
    <button
      id={id}
      type="button"
      class={isDanger ? "danger" : ""}
      aria-disabled={why !== undefined}
      aria-describedby={why === undefined ? undefined : `why-${id}`}
      title={why}
      onClick={() => why === undefined && onClick()}
    >
      {name}
    </button>
  )
}

function Why({ id, name, why }: { id: string; name: string; why: string | undefined }) {
  if (why === undefined) return null
  return (
    <p id={id} class="why">
      {name}: {why}
    </p>
  )
}
