/**
 * The type of an event as opencode tells it. Whoever looks for one event asks for it first: every event of opencode comes
 * by, and a schema takes a hundred times as long to refuse one.
 */
export const typeOf = (event: unknown): unknown =>
  typeof event === "object" && event !== null && "type" in event ? event.type : undefined
