/** What a check may still cost, in small steps. One that has no end is over once they are used up. */
export class Effort {
  #left = 0

  /** @throws TooMuchEffort once more is spent than was given. */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new TooMuchEffort()
  }

  give(steps: number): void {
    this.#left = steps
  }
}

export class TooMuchEffort extends Error {}
