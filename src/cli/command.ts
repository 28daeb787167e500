import type { Surroundings } from "./surroundings.ts"

/** What was given to a command. */
export type Given = {
  flags: ReadonlySet<string>
  /** Of the options that take one. */
  values: ReadonlyMap<string, string>
}

/** A command of the command line. `--help` and `--version` are everybody's. */
export type Command = {
  /** What a person runs for it. */
  call: string
  help: string
  /** Without the dashes. */
  flags: readonly string[]
  /** Options with a value, and what that is. */
  values?: Readonly<Record<string, string>>
  /** What is wrong with options that are known, each by itself. */
  problemOf?(given: Given): string | undefined
  /** @returns the exit code */
  run(given: Given, surroundings: Surroundings): Promise<number>
}
