/** The words of whatever was thrown or answered. Errors carry them in `message`, in `data.message`, or not at all. */
export function wordsOf(error: unknown): string {
  if (typeof error === "string") return error
  if (typeof error !== "object" || error === null) return ""
  if ("data" in error && wordsOf(error.data) !== "") return wordsOf(error.data)
  if ("message" in error && typeof error.message === "string") return error.message
  return "name" in error && typeof error.name === "string" ? error.name : ""
}
