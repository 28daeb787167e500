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

/** Those of an `Error`, or of a plain object, as opencode 2 rejects with. */
export function wordsOf(error: unknown): string {
  const message: unknown = typeof error === "object" && error !== null ? Reflect.get(error, "message") : error
  return typeof message === "string" && message !== "" ? message : JSON.stringify(error)
}
