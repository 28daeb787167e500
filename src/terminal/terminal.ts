import type { Part } from "../shown/requests.ts"
import type { Jobs } from "./jobs.ts"
import type { Element } from "./solid.ts"

export type Terminal = Screen & {
  /** Has the person choose; nothing where they close it. `until`: it closes by itself with that. */
  choose<Value>(menu: Menu<Value>, until?: Promise<Value>): Promise<Chosen<Value> | undefined>
}

/** opencode's terminal in this product's words. Each generation has an adapter, `opencode/v1.ts` and `opencode/v2.ts`. */
export type Screen = {
  jobs: Jobs
  /** Of opencode's theme, read anew for each drawing. */
  color(name: ColorName): unknown
  /** Draws into the sidebar of each session that is shown. */
  sidebar(draw: (session: string) => Element): void
  /** Draws a line at the prompt of each session that is shown. */
  promptLine(draw: (session: string) => Element): void
  command(command: Command): void
  /** Shows a session. */
  open(session: string): void
  /** The session that is shown, where one is. */
  shown(): string | undefined
  /** Has the person write a line; nothing where they do not. `value`: what stands there when it opens. */
  prompt(question: {
    title: string
    placeholder: string
    value?: string | undefined
  }): Promise<string | undefined>
  /** Shows something of one's own as a dialog until `settle` is called; nothing where the person leaves it. */
  dialog<Value>(draw: (settle: (value: Value) => void) => Element): Promise<Value | undefined>
  /** Closes the dialog that is shown. */
  close(): void
  /** Has the person's keys do this, for as long as the dialog stands whose component calls it. */
  keys(keys: readonly Key[]): Shortcuts
  /** Puts a text on the person's clipboard. Whether their terminal takes it. */
  copy(text: string): boolean
  toast(toast: { message: string; variant: "info" | "success" | "warning" | "error" }): void
}

export type ColorName =
  | "text"
  | "muted"
  | "good"
  | "bad"
  | "attention"
  | "accent"
  /** What the cursor of a list is on. */
  | "chosen"
  | "chosenBackground"
  | "field"

/** In the palette. A person gives keys of their own to commands of opencode alone: it takes no `id` of others. */
export type Command = {
  id: string
  title: string
  /** Offers it as `/slash` in the prompt, too. */
  slash?: string
  bind?: string
  run: () => Promise<void> | void
}

/** A command of a dialog. What opencode's own dialogs do as well has opencode's id, and so the person's keys for it. */
export type Key = Omit<Command, "slash"> & { bind: string }

/** How the keys of a command are written. */
export type Shortcuts = (id: string) => string

/** A text to decide about, in full, and below it what can be done. All texts may be foreign. */
export type Menu<Value> = {
  title: string
  /** At the end of the title's line. */
  note: string
  /** Below the title. */
  about: string
  parts: readonly Part[]
  /** Where its lines break. */
  wrap: "word" | "char"
  items: readonly Item<Value>[]
  /** Marks that are set when it opens. */
  marked?: readonly string[]
  /** The item that the cursor is on when it opens. Default: the first. */
  cursor?: number | undefined
}

/** A cursor on no item: who presses a key that was meant for something else chooses nothing. */
export const nowhere = -1

/** With a `mark` it is set and taken back, and the menu stays; with a `value` the menu closes. */
export type Item<Value> = { title: string; description?: string | undefined } & (
  | { mark: string }
  | { value: Value }
)

export type Chosen<Value> = { value: Value; marked: string[] }
