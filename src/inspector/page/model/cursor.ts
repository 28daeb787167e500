import { effect, signal } from "@preact/signals"
import { address } from "./address.ts"

/** The row of the list that the keys stand on, by its `rowKey`. */
export const cursor = signal("")

/** Whether a key has just moved it: the focus then belongs on its row, as soon as that is drawn. */
export const isFocusDue = signal(false)

/** Who comes back from a job finds it in the list. */
effect(() => {
  if (address.value.job !== "") cursor.value = address.value.job
})
