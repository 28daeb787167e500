import { useSignal } from "@preact/signals"
import type { RefObject } from "preact"
import { useEffect } from "preact/hooks"

/** Rows drawn above and below the visible ones. */
const margin = 6

/**
 * Which rows of a list of any length can be seen: the others need not exist.
 *
 * @param rowHeight of every row, pixels
 * @returns the index of the first, and the one behind the last
 */
export function useVisibleRows(box: RefObject<HTMLElement | null>, rowHeight: number): [number, number] {
  const top = useSignal(0)
  const height = useSignal(600)
  useEffect(() => {
    const element = box.current
    if (!element) return
    const look = () => (top.value = element.scrollTop)
    const watch = new ResizeObserver(() => (height.value = element.clientHeight))
    watch.observe(element)
    element.addEventListener("scroll", look, { passive: true })
    return () => {
      watch.disconnect()
      element.removeEventListener("scroll", look)
    }
  }, [box, height, top])
  const first = Math.max(0, Math.floor(top.value / rowHeight) - margin)
  const end = Math.ceil((top.value + height.value) / rowHeight) + margin
  return [first, end]
}
