import type { JobError } from "./record.ts"

/** Why a job is not done: "npm test" exited with 1, after 3 rounds. */
export function notPassed(command: string, rounds: number, exitCode: number | undefined): string {
  const how = exitCode === undefined ? "took too long and was ended" : `exited with ${exitCode}`
  return `${JSON.stringify(shortened(command))} ${how}${rounds > 1 ? `, in the last of ${rounds} rounds` : ""}`
}

/** Why a job has no result while its check runs: the child is done, and its check is not. */
export const stillRuns = (command: string, round: number): string =>
  `its check ${JSON.stringify(shortened(command))} still ran${round > 1 ? `, in round ${round}` : ""}`

/** What a job ends with that was told of it as often as it may be. */
export const redError = (command: string, rounds: number, exitCode: number | undefined): JobError => ({
  kind: "check",
  message: notPassed(command, rounds, exitCode),
})

/** Characters of a command in words about it. */
const longestCommand = 200

const shortened = (command: string) =>
  command.length > longestCommand ? `${command.slice(0, longestCommand)}…` : command
