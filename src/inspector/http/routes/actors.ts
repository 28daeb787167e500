import { Hono } from "hono"
import type { Sources } from "../../source.ts"
import type { ActorAnswer } from "../api.ts"

/** The actors of this process, with a system for each project. */
export function actorRoutes(sources: Sources): Hono {
  return new Hono().get("/", (c) => {
    const systems = sources.list().map((source): ActorAnswer => ({ ...source.actors(), id: source.name }))
    return c.json({
      kind: "process",
      id: "opencode",
      state: "active",
      counts: { systems: systems.length },
      children: systems,
    } satisfies ActorAnswer)
  })
}
