import type { JobState } from "../../src/machines/record.ts"

/** The colours of a picture, its background included. */
export type Colours = {
  ground: string
  /** Backgrounds of compound states: they alternate with depth. */
  nested: readonly [string, string]
  node: string
  line: string
  arrow: string
  ink: string
  quiet: string
  /** The same as on the inspector's page. */
  states: Record<JobState, string>
}

export const themes: Record<"light" | "dark", Colours> = {
  light: {
    ground: "#ffffff",
    nested: ["#f5f6fa", "#fbfbfd"],
    node: "#ffffff",
    line: "#c9ccd8",
    arrow: "#8286a0",
    ink: "#16171d",
    quiet: "#565a6c",
    states: {
      created: "#5b5e6e",
      prompting: "#1d5fc4",
      done: "#18703a",
      failed: "#b3261e",
      timedOut: "#92490a",
      cancelled: "#6a5470",
    },
  },
  dark: {
    ground: "#0f1117",
    nested: ["#171a23", "#12141c"],
    node: "#222531",
    line: "#3b3f50",
    arrow: "#7d829a",
    ink: "#eceef5",
    quiet: "#a9adbf",
    states: {
      created: "#a2a6b8",
      prompting: "#7fb2ff",
      done: "#62d08c",
      failed: "#ff8a80",
      timedOut: "#ffb366",
      cancelled: "#cbaed4",
    },
  },
}
