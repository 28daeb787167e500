import { useSignal } from "@preact/signals"
import type { JobAnswer } from "../../http/api.ts"
import { cancelJob } from "../model/api.ts"
import { send } from "../model/sent.ts"
import { addressOf, isLive } from "../model/words.ts"
import { Confirm } from "./confirm.tsx"
import { Copy } from "./copy.tsx"

type Asked = "cancel" | "send" | undefined

export const SEND_ID = "send"
export const CANCEL_ID = "cancel"

/** What a person can do with a job. What the inspector does not allow stays visible and says why. */
export function JobActions({ job }: { job: JobAnswer }) {
  const asked = useSignal<Asked>(undefined)
  const close = () => (asked.value = undefined)
  const where = addressOf(job)
  const isRunning = isLive(job)
  const sendName = isRunning ? "Send message" : "Follow-up"
  return (
    <div class="actions">
      <Action id={SEND_ID} name={`${sendName}…`} why={job.can.send} onClick={() => (asked.value = "send")} />
      {isRunning && (
        <Action
          id={CANCEL_ID}
          name="Cancel…"
          why={job.can.cancel}
          isDanger
          onClick={() => (asked.value = "cancel")}
        />
      )}
      <Copy name="Copy JSON" text={() => JSON.stringify(job, null, 2)} />
      <Why id={`why-${SEND_ID}`} name={sendName} why={job.can.send} />
      {isRunning && <Why id={`why-${CANCEL_ID}`} name="Cancel" why={job.can.cancel} />}
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
            isRunning
              ? "The child gets the message at its next step."
              : "Starts a new run in the same child session."
          }
          field="Message"
          confirm="Send"
          onConfirm={(message) => send(where, message)}
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
