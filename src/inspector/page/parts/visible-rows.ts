import { useSignal } from "@preact/signals"
import type { RefObject } from "preact"
import { useEffect } from "preact/hooks"

/** Rows drawn above and below the visible ones. */
const margin = 6

/** Which rows of a list of any length can be seen: the others need not exist. */
export type VisibleRows = {
  first: number
  /** Behind the last one. */
  end: number
  /** Looks again, which whoever scrolls need not wait for. */
  look(): void
}

/** @param rowHeight of every row, pixels */
export function useVisibleRows(box: RefObject<HTMLElement | null>, rowHeight: number): VisibleRows {
  const top = useSignal(0)
  const height = useSignal(600)
  const look = () => {
    top.value = box.current?.scrollTop ?? 0
  }
  useEffect(() => {
    const element = box.current
    if (!element) return
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
  return { first, end, look }
}
