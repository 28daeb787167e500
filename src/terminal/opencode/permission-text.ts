/** What a permission is asked for, as both generations of opencode tell of it. */
export type Asked = {
  patterns: readonly string[]
  /** What opencode or the tool says of it. */
  metadata?: Record<string, unknown> | undefined
  /** The arguments of the call that asks. */
  input?: Record<string, unknown> | undefined
}

/** In full: the command, the change, or what is known beside them. */
export function permissionText({ patterns, metadata = {}, input = {} }: Asked): string {
  const { diff } = metadata
  const { command } = input
  if (typeof diff === "string" && diff !== "") return `${patterns.join("\n")}\n${diff}`
  if (typeof command === "string") return command
  const named = patterns.filter((pattern) => pattern !== "*")
  return [...named, ...Object.entries(input).map(([name, value]) => `${name}: ${wordsOf(value)}`)].join("\n")
}

const wordsOf = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value))
