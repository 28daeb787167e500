import { afterAll, beforeAll, vi } from "vitest"

/** What xstate's development build says of late events and of listeners that send: both are meant here. */
const expected = [/was sent to stopped actor/, /Custom actions should not call/]

/** Keeps them from filling the terminal. Every other warning is still shown. */
export function quietXState(): void {
  const warn = console.warn
  beforeAll(() => {
    vi.spyOn(console, "warn").mockImplementation((...args: unknown[]) => {
      if (!expected.some((words) => words.test(String(args[0])))) warn(...args)
    })
  })
  afterAll(() => void vi.restoreAllMocks())
}
