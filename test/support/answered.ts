/**
 * The data of an answer of opencode's client. In a test a failed call is a failed test: both ways a call can
 * fail, rejecting and resolving with `error`, become an error that says what was asked.
 */
export async function answered<T>(
  what: string,
  call: Promise<{ data?: T; error?: unknown }>,
): Promise<NonNullable<T>> {
  const { data, error } = await call
  if (error !== undefined || data === undefined || data === null) {
    throw new Error(`opencode refused ${what}: ${JSON.stringify(error)}`, { cause: error })
  }
  return data
}
