/** One figure of the report. */
export type Row = {
  name: string
  value: number
  unit: "ms" | "µs" | "×" | "bytes" | "calls" | "kB" | "jobs"
  /** The largest value that is right. */
  bound?: number
  /** Smallest and largest of the rounds. */
  range?: readonly [min: number, max: number]
}

export type Bench = {
  /** How often everything is measured, each time in another order. */
  rounds: number
  /** The built plugin: a copy, so that a build meanwhile disturbs nobody. */
  plugin: string
  /** Tells the person who waits how it goes. */
  say(text: string): void
}

/** Measures one thing, alone on the machine as far as we can tell. */
export type Part = (bench: Bench) => Promise<Row[]>
