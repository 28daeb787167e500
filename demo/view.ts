import type { Board } from "./board.ts"

/** How a run is shown while it goes on. */
export interface View {
  /** What is being prepared or ended, until `follow` or `close`. */
  step(words: string): void
  /** A line that stays. */
  say(line: string): void
  /** From now on shows what happens on the board. */
  follow(board: Board): void
  /** The board has changed. */
  changed(): void
  /** Leaves what was shown last where it is, and the terminal as it was. */
  close(): void
}
