import type { JobRecord } from "../../machines/record.ts"
import type { Found } from "../source.ts"

/** A record as lists and the feed send it: without its answer, and with long strings cut. */
export type JobView = Omit<JobRecord, "text" | "structured"> & {
  /** The project's name. */
  project: string
}

/** Longest foreign string, characters. `GET /api/jobs/:session` has all of it. */
const longest = 1_000

export function viewOf({ source, record }: Found): JobView {
  const { text: _text, structured: _structured, ...view } = record
  return {
    ...view,
    project: source.name,
    description: clip(view.description),
    ...(view.error && { error: { ...view.error, message: clip(view.error.message) } }),
    ...(view.activity?.text !== undefined && {
      activity: { ...view.activity, text: view.activity.text.slice(-longest) },
    }),
    ...(view.attempts && {
      attempts: view.attempts.map(({ error, ...attempt }) => ({
        ...attempt,
        error: { ...error, message: clip(error.message) },
      })),
    }),
    ...(view.check && {
      check: { ...view.check, command: clip(view.check.command), output: view.check.output.slice(-longest) },
    }),
    ...(view.worktree && { worktree: withoutOverlaps(view.worktree) }),
    ...(view.asks && { asks: view.asks.map((ask) => ({ ...ask, text: clip(ask.text) })) }),
    ...(view.retry && { retry: { ...view.retry, reason: clip(view.retry.reason) } }),
  }
}

/** They may be names of very many files. */
function withoutOverlaps({ overlaps: _, ...worktree }: NonNullable<JobRecord["worktree"]>) {
  return worktree
}

export const clip = (text: string) => (text.length > longest ? `${text.slice(0, longest)}…` : text)
