import type { Jobs } from "./jobs.ts"
import type { Element } from "./solid.ts"

/** opencode's terminal in this product's words. Each generation has an adapter, `opencode/v1.ts` and `opencode/v2.ts`. */
export type Terminal = {
  jobs: Jobs
  /** Of opencode's theme, read anew for each drawing. */
  color(name: ColorName): unknown
  /** Draws into the sidebar of each session that is shown. */
  sidebar(draw: (session: string) => Element): void
  /** Adds a command to the palette, and `/slash` to the prompt. */
  command(command: Command): void
  /** Shows a session. */
  open(session: string): void
  /** Has the person choose; nothing where they do not. */
  select<Value>(list: { title: string; options: Option<Value>[] }): Promise<Value | undefined>
  confirm(question: { title: string; message: string }): Promise<boolean>
  /** Has the person write a line; nothing where they do not. */
  prompt(question: { title: string; placeholder: string }): Promise<string | undefined>
  /** Shows a text until it is closed. */
  show(text: { title: string; message: string }): Promise<void>
  toast(toast: { message: string; variant: "info" | "success" | "error" }): void
}

export type ColorName = "text" | "muted" | "good" | "bad" | "attention"

/** `id` is that by which a person gives it keys of their own. */
export type Command = { id: string; title: string; slash: string; run: () => Promise<void> }

export type Option<Value> = {
  title: string
  value: Value
  description?: string
  /** At the end of its line. */
  footer?: string
  /** Options of one category stand together. */
  category?: string
}
