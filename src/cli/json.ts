/** JSON in which nothing is hidden, and no terminal finds anything to carry out. */
export function printedJson(value: unknown): string {
  const json = JSON.stringify(value, null, 2)
  return `${json.replace(/[^\x20-\x7e\n]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`
}
