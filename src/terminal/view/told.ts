import type { Screen } from "../terminal.ts"

/** What it gives; where it fails, the person is told in a toast why. */
export async function told<Value>(
  { toast }: Pick<Screen, "toast">,
  run: () => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await run()
  } catch (error) {
    toast({ message: wordsOf(error), variant: "error" })
    return undefined
  }
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
