/**
 * Shows a dialog until it is settled or closed. What comes next may take its place: closing it first would have the
 * prompt take the keys for a moment, and lose them for good.
 */
export function shownUntilSettled<Value>(
  show: (settle: (value: Value) => void, onClose: () => void) => void,
  close: () => void,
): Promise<Value | undefined> {
  return new Promise((resolve) => {
    let isShown = true
    const onClose = () => {
      isShown = false
      resolve(undefined)
    }
    const settle = (value: Value) => {
      resolve(value)
      setTimeout(() => isShown && close(), 0)
    }
    show(settle, onClose)
  })
}
