import type { HostEvent, StartPermission } from "../port.ts"
import type { Call } from "./calls.ts"
import { isWordless } from "./children.ts"

/** `isPut`: a person was asked something in this session. */
type Ask = { session: string; isPut: boolean }

/** Permissions that are asked for through opencode's own tools, as a plugin cannot ask for any by itself. */
export class AskedThrough {
  readonly #asks = new Set<Ask>()

  /** Takes every event of opencode. */
  hear({ type, session }: HostEvent): void {
    if (type !== "request.opened") return
    for (const ask of this.#asks) if (ask.session === session) ask.isPut = true
  }

  /**
   * opencode refuses whatever the tools of an instance ask for that a reload has ended, without asking anybody: then
   * the tools of this one are asked.
   */
  async ask(call: Call, askThrough: (call: Call) => Promise<StartPermission>): Promise<StartPermission> {
    const { builtIn, ...own } = call
    const ask: Ask = { session: call.sessionID, isPut: false }
    this.#asks.add(ask)
    try {
      const first = await askThrough(call)
      const isOfReload = builtIn !== undefined && !ask.isPut && isWordless(first)
      return isOfReload ? await askThrough(own) : first
    } finally {
      this.#asks.delete(ask)
    }
  }
}

/** What a tool fails with names why. */
export function reasonIn(thrown: unknown): unknown {
  return typeof thrown === "object" && thrown !== null && "error" in thrown ? thrown.error : thrown
}
