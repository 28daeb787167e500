import { signal } from "@preact/signals"

/** The job in the list that the keys stand on, by its address. */
export const cursor = signal("")
