import { signal } from "@preact/signals"
import type { ComponentChildren } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { useVisibleRows } from "./visible-rows.ts"

type Props<T> = {
  label: string
  head: ComponentChildren
  rows: readonly T[]
  /** What the rows were chosen and sorted by: with another one they are seen from the first. */
  choice: string
  keyOf(row: T): string
  render(row: T, index: number): ComponentChildren
  /** The index of the selected row; -1 for none. */
  current: number
  /** Whether the current row must be scrolled to and take the focus. */
  isFocusDue: boolean
  /** Called when something in the row takes the focus. */
  onFocus(row: T): void
}

/** Height of every row, pixels: fixed, so that rows need no measuring. Where they are narrow they have three lines. */
const heights = { wide: 38, narrow: 88 }
const isNarrow = signal(false)
const narrow = matchMedia("(max-width: 800px)")
const noteWidth = () => {
  isNarrow.value = narrow.matches
}
narrow.addEventListener("change", noteWidth)
noteWidth()

/** A table of any length. Only the visible rows exist. */
export function VirtualRows<T>(props: Props<T>) {
  const { label, head, rows, choice, keyOf, render, current, isFocusDue, onFocus } = props
  const rowHeight = isNarrow.value ? heights.narrow : heights.wide
  const box = useRef<HTMLDivElement>(null)
  const [first, behind] = useVisibleRows(box, rowHeight)

  const isNew = useRef(true)
  useEffect(() => {
    const element = box.current
    // A row that is being clicked must not move away from the pointer: only keys and going back scroll to it.
    const isLedThere = isNew.current || isFocusDue
    isNew.current = false
    if (!element || current < 0 || !isLedThere) return
    const start = current * rowHeight
    // The sticky head covers the height of one row, which is that of a wide one.
    const end = start + rowHeight + heights.wide
    if (start < element.scrollTop) element.scrollTop = start
    else if (end > element.scrollTop + element.clientHeight) element.scrollTop = end - element.clientHeight
  }, [current, rowHeight])

  const shown = useRef(choice)
  useEffect(() => {
    if (shown.current === choice) return
    shown.current = choice
    box.current?.scrollTo({ top: 0 })
  }, [choice])

  // After every render: a row that is far away exists only once it has been scrolled to.
  useEffect(() => {
    if (!isFocusDue || document.activeElement?.matches("input")) return
    box.current?.querySelector<HTMLElement>(".row.current :is(a, button)")?.focus({ preventScroll: true })
  })

  const visible = rows.slice(first, behind)

  return (
    <div class="rows" ref={box} tabIndex={0} role="region" aria-label={label}>
      <div role="table" aria-label={label} aria-rowcount={rows.length + 1}>
        <div role="row" class="row head" aria-rowindex={1}>
          {head}
        </div>
        <div role="rowgroup" class="window" style={{ height: `${rows.length * rowHeight}px` }}>
          {visible.map((row, offset) => {
            const index = first + offset
            const isCurrent = index === current
            return (
              <div
                key={keyOf(row)}
                role="row"
                class={isCurrent ? "row current" : "row"}
                aria-current={isCurrent ? "true" : undefined}
                aria-rowindex={index + 2}
                style={{ transform: `translateY(${index * rowHeight}px)` }}
                onFocusIn={() => onFocus(row)}
              >
                {render(row, index)}
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}
