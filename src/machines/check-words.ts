import type { JobError } from "./record.ts"

/** Why a job is not done: "npm test" exited with 1, after 3 rounds. */
export function notPassed(command: string, rounds: number, exitCode: number | undefined): string {
  const how = exitCode === undefined ? "took too long and was ended" : `exited with ${exitCode}`
  return `${JSON.stringify(shortened(command))} ${how}${rounds > 1 ? `, in the last of ${rounds} rounds` : ""}`
}

/** What a job ends with that was told of it as often as it may be. */
export const redError = (command: string, rounds: number, exitCode: number | undefined): JobError => ({
  kind: "check",
  message: notPassed(command, rounds, exitCode),
})

/** Characters of a command in words about it. */
const longestCommand = 200

const shortened = (command: string) =>
  command.length > longestCommand ? `${command.slice(0, longestCommand)}…` : command
