import { useSignal } from "@preact/signals"
import type { ComponentChildren } from "preact"

type Props = { class: string; summary: ComponentChildren; children: () => ComponentChildren }

/** What is folded is drawn when it is opened. */
export function Fold({ class: name, summary, children }: Props) {
  const isOpen = useSignal(false)
  return (
    <details
      class={name}
      open={isOpen.value}
      onToggle={({ currentTarget }) => (isOpen.value = currentTarget.open)}
    >
      <summary>{summary}</summary>
      {isOpen.value && <div class="folded">{children()}</div>}
    </details>
  )
}
