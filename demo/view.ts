import type { Board } from "./board.ts"

/** Shows a run while it goes on. */
export interface View {
  /** Shows what is being prepared, until `follow` or `close`. */
  step(words: string): void
  /** Prints a line that stays. */
  say(line: string): void
  /** Shows this board from now on. */
  follow(board: Board): void
  /** The board has changed. */
  changed(): void
  /** Leaves the last frame in place and restores the terminal. */
  close(): void
}
