import { describe, expect, it } from "vitest"
import type { JobInput } from "../../src/machines/events.ts"
import { type JobRecord, NO_USAGE } from "../../src/machines/record.ts"
import { newStoredJob, StoredJob } from "../../src/plugin/stored-job.ts"
import { lease } from "./support/desk.ts"

const job: JobInput = {
  id: "j1",
  owner: "owner",
  description: "Look",
  prompt: "Look around.",
  agent: "general",
  createdAt: 5,
  askedAt: 5,
  run: 1,
  timeoutMs: 1_000,
  idleMs: 100,
}

const kept = {
  id: "j1",
  owner: "owner",
  description: "Look",
  agent: "general",
  state: "prompting" as const,
  phase: "working" as const,
  run: 1,
  createdAt: 5,
  startedAt: 6,
  usage: NO_USAGE,
}

describe("A job, as it is stored,", () => {
  it("is its record without what its child's messages say, or nobody asks for once its process is gone", () => {
    const record: JobRecord = {
      ...kept,
      session: "ses_1",
      text: "of an earlier run",
      activity: { text: "a tail", at: 8 },
      asks: [{ id: "q1", kind: "question", text: "Which?" }],
      retry: { attempt: 1, reason: "overloaded", next: 9 },
    }
    expect(StoredJob.parse({ ...newStoredJob(job, lease), record }).record).toEqual(kept)
  })
})
