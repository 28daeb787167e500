import type { CheckInput, CheckOutput } from "../../../machines/effects.ts"
import { commandsIn } from "../../host/commands.ts"
import type { Host, Result } from "../../host/port.ts"
import { verdict } from "../../host/rules.ts"
import { unknownOutcome } from "../../records/checking.ts"
import type { JobStore } from "../../records/store.ts"
import { failure } from "../failure.ts"
import { runCommand } from "./run-command.ts"

/** Longest time that one check may take. Milliseconds. */
export const longestCheckMs = 10 * 60_000

export type ChecksOptions = {
  host: Pick<Host, "agents" | "session">
  store: Pick<JobStore, "read" | "saveChecking">
  /** Where the commands of jobs run that have no worktree of their own. */
  directory: string
  run?: typeof runCommand
  now: () => number
}

/**
 * Runs what has to pass before a job is done. That it is about to run for an answer is on record before, and how it went
 * before anybody is told: whoever finds a check that was begun and not ended does not run it again.
 */
export function createChecks({ host, store, directory, run = runCommand, now }: ChecksOptions) {
  return { runCheck }

  async function runCheck(input: CheckInput, signal: AbortSignal): Promise<CheckOutput> {
    const { session, check, round, answer } = input
    const stored = await store.read(session)
    if (stored?.checking?.answer === answer.id) {
      if (stored.checking.result) return stored.checking.result
      throw unknownOutcome(check.command)
    }
    const refusal = await refusalFor(input, stored?.ownerAgent)
    if (refusal !== undefined) throw failure("check", { message: refusal })
    // What nobody waits for any more is not begun: its answer can still be checked.
    signal.throwIfAborted()
    const { worktree } = input.job
    const begun = { answer: answer.id, round, ...(worktree && { worktree }) }
    await store.saveChecking(session, begun)
    const place = worktree?.directory ?? directory
    const result = await run(check.command, { directory: place, limitMs: longestCheckMs, signal })
    // The id of what its child may be told next sorts behind its answer, wherever the clock was set.
    const output = { ...result, endedAt: Math.max(now(), answer.at + 1) }
    await store.saveChecking(session, { ...begun, result: output })
    return output
  }

  /** The owner may do less now than when it started the job, and its jobs no more than itself. */
  async function refusalFor(
    { job, check }: CheckInput,
    ownerAgent: string | undefined,
  ): Promise<string | undefined> {
    const [agents, owner] = await Promise.all([host.agents(job.owner), host.session(job.owner)])
    const rules = [
      ...(answered(agents).find(({ name }) => name === ownerAgent)?.rules ?? []),
      ...answered(owner).rules,
    ]
    const denied = commandsIn(check.command).find(
      (command) => verdict(rules, { permission: "bash", pattern: command }) === "deny",
    )
    return denied === undefined
      ? undefined
      : `${JSON.stringify(check.command)} was not run: its owner may not run ${JSON.stringify(denied)}`
  }
}

function answered<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw failure("check", { message: `it is not known what its owner may do now: ${result.error.message}` })
}
