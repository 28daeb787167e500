/** What a command has of the machine that it runs on. */
export type Surroundings = {
  /** What was asked for. */
  write(text: string): void
  /** What is wrong. */
  complain(text: string): void
  /** Opens a link in the browser. Resolves with whether that could be done. */
  open(link: string): Promise<boolean>
  /** Resolves with the next line that a person writes; nothing where nobody does. */
  ask(question: string): Promise<string | undefined>
  /** Whether `write` writes to a terminal that has colours, and whose person wants them. */
  hasColours: boolean
  /** Of the terminal. Default, and for 0: 80. */
  columns?: number | undefined
  /** Where running inspectors are registered. Default: as for the inspectors themselves. */
  registerFolder?: string
  /** Default: of this process. */
  env?: NodeJS.ProcessEnv
}
