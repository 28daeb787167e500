/** Lets what is under way go on until this holds. */
export async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !holds(); turn++) await new Promise((resolve) => setImmediate(resolve))
  if (!holds()) throw new Error(`It never came to: ${holds}`)
}
