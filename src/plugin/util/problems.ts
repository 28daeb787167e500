/** What is wrong and stays so, in words for people: each is said once. */
export class Problems {
  readonly #said = new Set<string>()
  readonly #listeners = new Set<(problem: string) => void>()

  get all(): string[] {
    return [...this.#said]
  }

  add(problem: string): void {
    if (this.#said.has(problem)) return
    this.#said.add(problem)
    for (const listener of this.#listeners) listener(problem)
  }

  /** Hears of those that are there and of all that come. */
  subscribe(listener: (problem: string) => void): void {
    for (const problem of this.#said) listener(problem)
    this.#listeners.add(listener)
  }
}
