import type { Generation } from "../test/support/any-opencode.ts"

/** One figure of the report. */
export type Row = {
  name: string
  value: number
  unit: "ms" | "µs" | "×" | "bytes" | "calls" | "kB" | "jobs" | "characters"
  /** The largest value that is right. */
  bound?: number
  /** Smallest and largest of the rounds. */
  range?: readonly [min: number, max: number]
}

export type Bench = {
  /** How often everything is measured, each time in another order. */
  rounds: number
  /** The opencode to measure it in. */
  generation: Generation
  /** Where the built plugin is: a copy, so that a build meanwhile disturbs nobody. */
  folder: string
  /** Tells the person who waits how it goes. */
  say(text: string): void
}

/** Measures one thing, alone on the machine as far as we can tell. */
export type Part = (bench: Bench) => Promise<Row[]>
