import { signal } from "@preact/signals"
import { Dialog } from "./dialog.tsx"

export const isHelpOpen = signal(false)

const keys: [string, string][] = [
  ["/", "search"],
  ["j  k", "next or previous job"],
  ["↓  ↑", "next or previous row of a list"],
  ["←  →", "collapse or expand an owner's jobs"],
  ["Enter", "open the job"],
  ["n", "next job that waits for you"],
  ["f", "follow-up or message to the open job"],
  ["c", "cancel the open job"],
  ["Esc", "back to the list; there: clear the search"],
  ["1 – 4", "Overview, Jobs, Timeline, Actors"],
  ["?", "this help"],
]

export function Help() {
  if (!isHelpOpen.value) return null
  const close = () => (isHelpOpen.value = false)
  return (
    <Dialog title="Keyboard shortcuts and search" onClose={close}>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p>
        Search for words, and by field: <code>state:failed</code>, <code>phase:permission</code>,{" "}
        <code>phase:held</code>, <code>phase:blocked</code>, <code>needs:</code>, <code>agent:general</code>,{" "}
        <code>model:</code>, <code>owner:</code>, <code>id:</code>, <code>error:idle</code>,{" "}
        <code>error:budget</code>. Separate alternatives with commas: <code>state:failed,timedOut</code>.
      </p>
      <div class="actions">
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  )
}
