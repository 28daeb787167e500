import type { CheckedAnswer } from "../../machines/events.ts"
import type { JobError } from "../../machines/record.ts"
import type { Checking } from "./stored-job.ts"

/** What a job ends with whose check was begun by somebody who did not see its end. */
export const unknownOutcome = (command: string): JobError => ({
  kind: "check",
  message:
    `opencode stopped while ${JSON.stringify(command)} ran, and a check never runs twice for one answer: whether it ` +
    "passes is not known. agents_send has the child go on and its next answer checked.",
})

/** What one ends with whose answer nobody has begun to check. */
export const uncheckedAnswer = (command: string): JobError => ({
  kind: "interrupted",
  message:
    `opencode ended before ${JSON.stringify(command)} could show whether its answer passes. agents_send has the child ` +
    "go on and its next answer checked.",
})

/** The check that its child is to be told of, if the last one did not pass. */
export function redIn(checking: Checking | undefined): CheckedAnswer | undefined {
  const { round, result } = checking ?? {}
  return round === undefined || !result || result.exitCode === 0 ? undefined : { round, ...result }
}
