import type { HostEvent } from "../host/port.ts"

/**
 * The text that each working child streams. opencode keeps a text once it is complete or its turn ends; that of a
 * stream that broke off it drops when it tries again.
 */
export class Drafts {
  readonly #bySession = new Map<string, Draft>()

  begin(session: string): void {
    this.#bySession.set(session, { text: "" })
  }

  end(session: string): void {
    this.#bySession.delete(session)
  }

  /** The latest text of which anything has come. */
  of(session: string): string {
    return this.#bySession.get(session)?.text.trim() ?? ""
  }

  handle(event: HostEvent): void {
    if (event.type !== "text.updated" && event.type !== "text.streamed") return
    const draft = this.#bySession.get(event.session)
    if (!draft) return
    if (event.type === "text.updated") draft.open = event.part
    else if (draft.open === event.part) {
      // The first words of an attempt take the place of those that came to nothing.
      draft.text = draft.part === event.part ? draft.text + event.delta : event.delta
      draft.part = event.part
    }
  }
}

type Draft = {
  text: string
  /** The part that `text` is of. */
  part?: string
  /** The latest text part; the child may think, in parts of another kind, in between. */
  open?: string
}
