import { shareHome } from "./prepared-home.ts"
import { startShared } from "./shared-opencode.ts"

/** What all end-to-end tests of a run have in common: a prepared home, and an opencode for each of two workers. */
export async function setup(): Promise<() => Promise<void>> {
  const home = await shareHome()
  const stopShared = await startShared(2)
  return async () => {
    await stopShared()
    home.remove()
  }
}
