import { useSignal } from "@preact/signals"
import type { JobAnswer } from "../../http/api.ts"
import { cancelJob, sendTo } from "../model/api.ts"
import { addressOf, isLive } from "../model/words.ts"
import { Dialog } from "./dialog.tsx"

type Asked = "cancel" | "send" | undefined

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
      <Action id="send" name={`${sendName}…`} why={job.can.send} onClick={() => (asked.value = "send")} />
      <Action
        id="cancel"
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
      <Why id="why-send" name={sendName} why={job.can.send} />
      <Why id="why-cancel" name="Cancel" why={job.can.cancel} />
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

type ConfirmProps = {
  title: string
  text: string
  field: string
  confirm: string
  isOptional?: boolean
  isDanger?: boolean
  onConfirm(text: string): Promise<void>
  onClose(): void
}

function Confirm(props: ConfirmProps) {
  const { title, text, field, confirm, isOptional = false, isDanger = false, onConfirm, onClose } = props
  const value = useSignal("")
  const problem = useSignal("")
  const isUnderWay = useSignal(false)
  const submit = async (event: Event) => {
    event.preventDefault()
    if (isUnderWay.value) return
    isUnderWay.value = true
    try {
      await onConfirm(value.value.trim())
      onClose()
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error)
    } finally {
      isUnderWay.value = false
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        <p>{text}</p>
        <label>
          {field}
          {isOptional && <span class="quiet"> (optional)</span>}
          <textarea
            rows={isOptional ? 2 : 5}
            required={!isOptional}
            value={value.value}
            onInput={({ currentTarget }) => (value.value = currentTarget.value)}
          />
        </label>
        {problem.value !== "" && (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        )}
        <div class="actions">
          <button type="button" onClick={onClose}>
            Back
          </button>
          <button type="submit" class={isDanger ? "danger is-filled" : "primary"}>
            {confirm}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
