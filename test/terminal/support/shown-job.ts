import { NO_USAGE } from "../../../src/machines/record.ts"
import type { ShownJob } from "../../../src/terminal/jobs.ts"

/** One that works, made at 80 s and prompted at 88 s. */
export function shownJob(changes: Partial<ShownJob> = {}): ShownJob {
  return {
    id: "auth",
    session: "ses_1",
    owner: "ses_owner",
    description: "Review it",
    agent: "general",
    state: "prompting",
    phase: "working",
    run: 1,
    createdAt: 80_000,
    startedAt: 88_000,
    usage: NO_USAGE,
    ...changes,
  }
}
