import { useSignal } from "@preact/signals"
import { useLayoutEffect, useRef } from "preact/hooks"
import { Dialog } from "./dialog.tsx"

type ConfirmProps = {
  title: string
  text: string
  field: string
  confirm: string
  isOptional?: boolean
  isDanger?: boolean
  /** What stands in the field at first. */
  suggestion?: string
  /** Rejects with words for people. */
  onConfirm(text: string): Promise<unknown>
  onClose(): void
}

/** A question before something is changed, with room for words. */
export function Confirm(props: ConfirmProps) {
  const {
    title,
    text,
    field,
    confirm,
    isOptional = false,
    isDanger = false,
    suggestion = "",
    onConfirm,
    onClose,
  } = props
  const value = useSignal(suggestion)
  const problem = useSignal("")
  const isUnderWay = useSignal(false)
  const area = useRef<HTMLTextAreaElement>(null)
  // What is typed replaces what was suggested.
  useLayoutEffect(() => {
    area.current?.focus()
    area.current?.select()
  }, [])
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
            ref={area}
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
