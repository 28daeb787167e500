import { newStoredJob, type StoredJob } from "../../../src/plugin/records/stored-job.ts"

/** A job as the server part stores it with its child. */
export const storedJob = (id: string): StoredJob =>
  newStoredJob(
    {
      id,
      owner: "ses_owner",
      description: "Check the login",
      prompt: "Check the login.",
      agent: "general",
      model: "fake/m1",
      createdAt: 1_000,
      askedAt: 1_000,
      run: 1,
      timeoutMs: 60_000,
      idleMs: 60_000,
    },
    { pid: 1, process: "one", instance: "one" },
  )
