/**
 * The directory that opencode 1.18 loads for a request, where it is known: that of the session which the path names,
 * else the one that is asked for.
 */
export function loadedFor(
  { url }: { url: string },
  directoryOf: (session: string) => string | undefined,
): string | undefined {
  const { pathname, searchParams } = new URL(url)
  const [, session] = /^\/session\/(ses_[^/]+)/.exec(pathname) ?? []
  const place = session === undefined ? undefined : directoryOf(session)
  return place ?? searchParams.get("directory") ?? undefined
}
