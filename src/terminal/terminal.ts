import type { Jobs } from "./jobs.ts"
import type { Element } from "./solid.ts"

/** opencode's terminal in this product's words. Each generation has an adapter, `opencode/v1.ts` and `opencode/v2.ts`. */
export type Terminal = {
  jobs: Jobs
  /** Of opencode's theme, read anew for each drawing. */
  color(name: ColorName): unknown
  /** Draws into the sidebar of each session that is shown. */
  sidebar(draw: (session: string) => Element): void
  /** Shows a session. */
  open(session: string): void
}

export type ColorName = "text" | "muted" | "good" | "bad" | "attention"
