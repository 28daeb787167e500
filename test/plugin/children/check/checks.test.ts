import { describe, expect, it } from "vitest"
import { createChecks } from "../../../../src/plugin/children/check/checks.ts"
import type { PermissionRule } from "../../../../src/plugin/host/port.ts"
import { newStoredJob, type StoredJob } from "../../../../src/plugin/records/stored-job.ts"
import { jobInput } from "../../../machines/support/jobs.ts"

const check = { command: "npm test && npm run lint", attempts: 2 }
const job = jobInput({ hasToPass: check, startedBy: { message: "m", agent: "build" } })
const input = { job, session: "ses_1", check, round: 1, answer: { id: "msg_1", at: 5_000 } }
const tenMinutes = 10 * 60 * 1_000
const never = new AbortController().signal

/** What happens, in its order: what is stored, and what is run. */
function stage({
  rules = [],
  own = [],
  others = [],
  isSilent,
  isUnknown,
  checking,
  exitCode = 0,
}: Stage = {}) {
  const happened: unknown[] = []
  let stored: StoredJob = {
    ...newStoredJob(job, { pid: 1, process: "", instance: "i" }),
    ...(checking && { checking }),
  }
  const { runCheck } = createChecks({
    host: {
      agents: async () =>
        isSilent
          ? { ok: false, error: { message: "it fell" } }
          : { ok: true, value: [agent("plan", others), agent("build", rules)] },
      session: async (id) => ({ ok: true, value: { ...session, id, rules: own } }),
    },
    store: {
      read: async () => (isUnknown ? undefined : stored),
      saveChecking: async (_, checking) => {
        happened.push({ stored: checking })
        stored = { ...stored, checking }
      },
    },
    directory: "/project",
    run: async (command, { directory, limitMs }) => {
      happened.push({ run: command, directory, limitMs })
      return { exitCode, output: "said" }
    },
    now: () => 4_000,
  })
  return { runCheck, happened }
}
type Stage = {
  /** Of the owner's agent, of the owner's session, and of another agent. */
  rules?: PermissionRule[]
  own?: PermissionRule[]
  others?: PermissionRule[]
  /** opencode does not say who may do what. */
  isSilent?: boolean
  /** There is no record of the job. */
  isUnknown?: boolean
  checking?: StoredJob["checking"]
  exitCode?: number
}

const agent = (name: string, rules: PermissionRule[]) => ({ name, isSubagent: false, isHidden: false, rules })

const session = {
  title: "",
  directory: "/project",
  isReverted: false,
  usage: { input: 0, output: 0, reasoning: 0, cacheRead: 0, cacheWrite: 0, cost: 0 },
  updatedAt: 0,
  stored: undefined,
}
const noTests: PermissionRule = { permission: "bash", pattern: "npm test", action: "deny" }

describe("The check of an answer", () => {
  it("is on record before it runs, and how it went before anybody is told, later than the answer whatever the clock says", async () => {
    const { runCheck, happened } = stage({ exitCode: 1 })
    const result = { exitCode: 1, output: "said", endedAt: 5_001 }
    expect(await runCheck(input, never)).toEqual(result)
    expect(happened).toEqual([
      { stored: { answer: "msg_1", round: 1 } },
      { run: check.command, directory: "/project", limitMs: tenMinutes },
      { stored: { answer: "msg_1", round: 1, result } },
    ])
  })

  it("runs where the job has worked: in its worktree, if it has one, of which is on record what is checked", async () => {
    const { runCheck, happened } = stage()
    const [base, commit] = ["0".repeat(40), "1".repeat(40)]
    const worktree = { directory: "/worktrees/a", branch: "troupe/ses/a", base, commit }
    await runCheck({ ...input, job: { ...job, worktree } }, never)
    expect(happened[0]).toEqual({ stored: { answer: "msg_1", round: 1, worktree } })
    expect(happened).toContainEqual({
      run: check.command,
      directory: "/worktrees/a",
      limitMs: tenMinutes,
    })
  })

  it("never runs twice: what is known is told again, and what is not known is no longer found out", async () => {
    const result = { exitCode: 1, output: "earlier", endedAt: 6_000 }
    const known = stage({ checking: { answer: "msg_1", round: 1, result } })
    expect(await known.runCheck(input, never)).toEqual(result)
    expect(known.happened).toEqual([])

    const begun = stage({ checking: { answer: "msg_1", round: 1 } })
    await expect(begun.runCheck(input, never)).rejects.toMatchObject({ kind: "check" })
    expect(begun.happened).toEqual([])

    const another = stage({ checking: { answer: "msg_0", round: 1, result } })
    expect(await another.runCheck(input, never)).toMatchObject({ output: "said" })
  })

  it("does not run what its owner may not run by now, whichever part of the line that is", async () => {
    const { runCheck, happened } = stage({
      rules: [
        { permission: "bash", pattern: "*", action: "allow" },
        { permission: "bash", pattern: "npm run *", action: "deny" },
      ],
    })
    await expect(runCheck(input, never)).rejects.toEqual({
      kind: "check",
      message: '"npm test && npm run lint" was not run: its owner may not run "npm run lint"',
    })
    expect(happened).toEqual([])
  })

  it("obeys the rules of its owner's session, which come after those of its agent", async () => {
    const { runCheck, happened } = stage({ rules: [{ ...noTests, action: "allow" }], own: [noTests] })
    await expect(runCheck(input, never)).rejects.toMatchObject({
      message: expect.stringContaining("npm test"),
    })
    expect(happened).toEqual([])
  })

  it("is none of what other agents may do, nor of what would be asked for once more", async () => {
    const { runCheck } = stage({ rules: [{ ...noTests, action: "ask" }], others: [noTests] })
    expect(await runCheck(input, never)).toMatchObject({ output: "said" })
  })

  it("obeys its owner's session alone where nobody knows of the agent that started it", async () => {
    const free = stage({ isUnknown: true, rules: [noTests] })
    expect(await free.runCheck(input, never)).toMatchObject({ output: "said" })
    const bound = stage({ isUnknown: true, own: [noTests] })
    await expect(bound.runCheck(input, never)).rejects.toMatchObject({ kind: "check" })
  })

  it("does not run where opencode does not say what its owner may do", async () => {
    const { runCheck, happened } = stage({ isSilent: true })
    await expect(runCheck(input, never)).rejects.toEqual({
      kind: "check",
      message: "it is not known what its owner may do now: it fell",
    })
    expect(happened).toEqual([])
  })

  it("does not begin where nobody waits for it any more", async () => {
    const { runCheck, happened } = stage()
    await expect(runCheck(input, AbortSignal.abort())).rejects.toThrow()
    expect(happened).toEqual([])
  })
})
