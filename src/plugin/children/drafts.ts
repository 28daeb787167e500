import * as z from "zod"

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

  /** Takes any event of opencode. */
  handle(unparsed: object): void {
    // Stryker disable next-line all: parsing would say the same, but every event of opencode comes by here
    if (!("type" in unparsed) || typeof unparsed.type !== "string" || !streaming.has(unparsed.type)) return
    const event = Streamed.safeParse(unparsed).data
    if (event?.type === "message.part.updated") {
      const { id, type, sessionID } = event.properties.part
      const draft = this.#bySession.get(sessionID)
      if (draft && type === "text") draft.open = id
    } else if (event) {
      const { sessionID, partID, delta } = event.properties
      const draft = this.#bySession.get(sessionID)
      if (draft?.open !== partID) return
      // The first words of an attempt take the place of those that came to nothing.
      draft.text = draft.part === partID ? draft.text + delta : delta
      draft.part = partID
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

// Stryker disable next-line ArrayDeclaration: a union of nothing cannot be made
const Streamed = z.discriminatedUnion("type", [
  // Stryker disable next-line ObjectLiteral: a union needs the field that it goes by
  z.object({
    type: z.literal("message.part.updated"),
    properties: z.object({ part: z.object({ id: z.string(), type: z.string(), sessionID: z.string() }) }),
  }),
  // Stryker disable next-line ObjectLiteral: a union needs the field that it goes by
  z.object({
    type: z.literal("message.part.delta"),
    properties: z.object({ sessionID: z.string(), partID: z.string(), delta: z.string() }),
  }),
])

const streaming = new Set<string>(Streamed.options.map(({ shape }) => shape.type.value))
