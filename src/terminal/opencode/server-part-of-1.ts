import type { Api } from "./api-of-1.ts"
import { absent } from "./foreign.ts"

type Client = Pick<Api["client"], "tool" | "app">

/** A tool of the server part's. */
const ours = "agents_start"

/**
 * Makes sure that the server part is there: 1.18 has no channel by which it could say so, and what is asked of it goes
 * unheard where it is not. The log is told once.
 * @throws Error with words for the person
 */
export function serverPart({ tool, app }: Client): () => Promise<void> {
  let isLogged = false
  return async () => {
    const { data } = await tool.ids().catch(() => ({ data: undefined }))
    // Where opencode does not say, it may be there.
    if (!data || data.includes(ours)) return
    if (!isLogged)
      void app.log({ service: "opencode-troupe", level: "warn", message: absent }).catch(() => {})
    isLogged = true
    throw new Error(absent)
  }
}
