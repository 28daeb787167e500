import type { JobInput } from "../../../src/machines/events.ts"
import { NO_USAGE, type Usage } from "../../../src/machines/record.ts"

/** When every simulated day begins, epoch milliseconds. */
export const dawn = Date.UTC(2026, 0, 1)

export function jobInput(fields: Partial<JobInput> = {}): JobInput {
  return {
    id: "j1",
    owner: "owner",
    description: "Find the bug",
    prompt: "Find the bug in the parser.",
    agent: "general",
    createdAt: dawn,
    askedAt: dawn,
    run: 1,
    timeoutMs: 60_000,
    idleMs: 20_000,
    ...fields,
  }
}

export const usage = (input: number): Usage => ({ ...NO_USAGE, input })
