import type { OpencodeClient } from "@opencode-ai/sdk/v2/client"

/** What is used of opencode's client. The build leaves out the rest, which is most of it. */
export const clientParts = [
  "app",
  "config",
  "global",
  "part",
  "permission",
  "question",
  "session",
  "tui",
] as const satisfies (keyof OpencodeClient)[]

export type Client = Pick<OpencodeClient, (typeof clientParts)[number]>
