import { effect, signal } from "@preact/signals"
import { address } from "./address.ts"

/** The row of the list that the keys act on, by its `rowKey`. */
export const cursor = signal("")

/** Whether a key has just moved the cursor: its row takes the focus once it is drawn. */
export const isFocusDue = signal(false)

// Going back from a job leads to its row.
effect(() => {
  if (address.value.job !== "") cursor.value = address.value.job
})
