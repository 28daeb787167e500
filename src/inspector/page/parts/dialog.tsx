import type { ComponentChildren } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"

type Props = { title: string; onClose(): void; children: ComponentChildren }

export function Dialog({ title, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  // Before the next key comes.
  useLayoutEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    // A dialog that is removed while it is open does not give the focus back by itself, and until then nothing else
    // can take it.
    return () => {
      if (before instanceof HTMLElement) queueMicrotask(() => before.focus())
    }
  }, [])
  // A browser tells of the close a moment after it: by then a key may have opened the next dialog.
  const cancel = (event: Event) => {
    event.preventDefault()
    onClose()
  }
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onCancel={cancel} onClose={onClose}>
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  )
}
