import { signal } from "@preact/signals"
import { Dialog } from "./dialog.tsx"

export const isHelpOpen = signal(false)

const keys: [string, string][] = [
  ["/", "search"],
  ["j  k", "next and previous job"],
  ["↓  ↑", "the same in lists"],
  ["←  →", "fold an owner's jobs, and unfold them"],
  ["Enter", "open the job"],
  ["Esc", "back to the list"],
  ["1 – 4", "Overview, Jobs, Timeline, Actors"],
  ["?", "this help"],
]

export function Help() {
  if (!isHelpOpen.value) return null
  const close = () => (isHelpOpen.value = false)
  return (
    <Dialog title="Keys and search" onClose={close}>
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
        A search finds words, and fields: <code>state:failed</code>, <code>phase:permission</code>,{" "}
        <code>agent:general</code>, <code>model:</code>, <code>owner:</code>, <code>id:</code>,{" "}
        <code>error:idle</code>. Several values: <code>state:failed,timedOut</code>.
      </p>
      <div class="actions">
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  )
}
