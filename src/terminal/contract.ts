import type { JobPhase } from "../machines/record.ts"
import type { Glance } from "./glance.ts"
import type { Overview, Spending } from "./jobs.ts"

const text = { type: "string" }
const job = object({ session: text })
const objects = { type: "array", items: { type: "object" } }

/**
 * What the server part offers to the terminal part, which on opencode 2 may run on another machine: opencode's RPC, with
 * JSON Schemas. Seen in 2.0.15, where both parts name the same contract.
 */
export const contract = {
  id: "opencode-troupe",
  methods: {
    list: {
      input: { type: "object", properties: { owner: text } },
      output: answer({ jobs: objects, budgets: objects }),
    },
    glance: {
      input: object({ owner: text, most: { type: "number" } }),
      output: answer({ counts: { type: "object" }, jobs: objects, budgets: objects }),
    },
    read: { input: job, output: answer({ prompt: text, text }) },
    inspect: { input: { type: "object" }, output: answer({ link: text }) },
    cancel: { input: job, output: answer({}) },
    send: { input: object({ session: text, message: text }), output: answer({}) },
  },
  events: {
    changed: { schema: object({ owner: text }) },
    /** A terminal may answer a question, which opencode lets no plugin do: without `answers` it dismisses it. */
    answer: {
      schema: {
        type: "object",
        properties: { session: text, request: text, answers: { type: "object" } },
        required: ["session", "request"],
      },
    },
    toast: {
      schema: {
        type: "object",
        properties: { message: text, variant: text, duration: { type: "number" }, session: text },
        required: ["message", "variant"],
      },
    },
  },
} as const

function object(properties: Record<string, object>) {
  return { type: "object", properties, required: Object.keys(properties) }
}

/** These, or words for the person that say why not: opencode 2 keeps those of an error to itself. */
function answer(properties: Record<string, object>) {
  return { type: "object", properties: { ...properties, refused: text } }
}

/** `answers`: by the questions' keys. */
export type PassedAnswer = {
  session: string
  request: string
  answers?: Readonly<Record<string, readonly string[]>>
}

/** What is to be known of an owner's jobs that is not stored with them. `holds`: until when, by their sessions. */
export type Standing = {
  owner: string
  budgets: Spending[]
  holds: Record<string, number>
  /**
   * By session, those that are checked, and all that work in another directory: opencode does not say how those stood
   * before the terminal was there.
   */
  live: Record<string, Live>
}

/** Where a job is that has not ended. `rounds`: how often its check was run. */
export type Live = {
  phase: JobPhase
  directory?: string
  /** What it asks, by the requests' ids. */
  asks?: string[]
  rounds?: number
}

/** How the server part answers. Each rejects with words for the person. */
export type TerminalService = {
  /** Those of one owner, or of all. */
  list(given: { owner?: string | undefined }): Overview
  glance(given: { owner: string; most: number }): Glance
  /** Of one owner, or of all who have any. */
  standings(given: { owner?: string | undefined }): Standing[]
  read(given: { session: string }): Promise<{ prompt: string; text: string }>
  inspect(): Promise<{ link: string }>
  cancel(given: { session: string }): void
  send(given: { session: string; message: string }): Promise<void>
}

/**
 * opencode 1.18 has no channel between the two parts. Each can publish a command of the terminal, of which the other one
 * hears among all events: this prefix and JSON. Nobody answers; what comes of it is seen at the job, or in a toast.
 */
export const commandPrefix = "opencode-troupe "

export type TerminalCommand =
  | { act: "inspect" }
  | { act: "cancel"; session: string }
  | { act: "send"; session: string; message: string }
  /** A terminal has this part: its commands can be named. */
  | { act: "arrive" }

/** What the server part says by the same way. */
export type TerminalNews = { tell: "standing" } & Standing

/** The slashes of this part's commands. */
export const slashes = { jobs: "troupe", answer: "troupe-answer" } as const

/** Whose toasts these are, in opencode 1.18, where they come from the server part. */
export const toastTitle = "opencode-troupe"
