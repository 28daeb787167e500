import { describe, expect, it, vi } from "vitest"
import type { Jobs, ShownJob } from "../../src/terminal/jobs.ts"
import type { Chosen, Menu, Terminal } from "../../src/terminal/terminal.ts"
import { type Act, acts, actsFor, type Read } from "../../src/terminal/view/acts.ts"
import { atTheTop, jobsDialog } from "../../src/terminal/view/jobs-dialog.ts"
import { shownJob } from "./support/shown-job.ts"

const job = shownJob()

/**
 * A person who does this in the list, each time that it is shown, and leaves it then.
 * @param picks the titles that they pick in menus; they close each further one
 */
function person(does: Act[], jobs: Partial<Jobs> = {}, on: ShownJob = job, picks: string[] = []) {
  const unexpected = () => expect.fail("nobody chose this")
  const terminal = {
    jobs: {
      all: unexpected,
      of: async () => [on],
      glance: unexpected,
      waiting: unexpected,
      title: unexpected,
      inspect: unexpected,
      read: async () => ({ prompt: "Look", text: "It is fine." }),
      cancel: unexpected,
      send: unexpected,
      request: unexpected,
      answer: unexpected,
      subscribe: unexpected,
      ...jobs,
    },
    color: unexpected,
    sidebar: unexpected,
    promptLine: unexpected,
    command: unexpected,
    dialog: unexpected,
    choose: async <Value>({ items }: Menu<Value>): Promise<Chosen<Value> | undefined> => {
      const picked = picks.shift()
      const item = items.find(({ title }) => title === picked)
      return item && "value" in item ? { value: item.value, marked: [] } : undefined
    },
    close: unexpected,
    keys: unexpected,
    shown: unexpected,
    copy: vi.fn(() => true),
    toast: vi.fn(),
    open: vi.fn(),
    prompt: vi.fn(async () => "go on"),
  } satisfies Terminal
  const left = [...does]
  const list = vi.fn(async () => {
    const act = left.shift()
    return act && { act, job: on }
  })
  const read = vi.fn<Read>(async () => {})
  return { terminal, list, read, run: () => jobsDialog(terminal, list, read, atTheTop()) }
}

describe("/troupe", () => {
  it.each<[string, ShownJob, string[]]>([
    ["runs", job, ["Open", "Send", "Cancel", "Read", "Copy result", "Owner", "Inspector"]],
    [
      "waits for a permission",
      { ...job, phase: "permission", asks: [{ id: "r", kind: "permission", text: "bash" }] },
      ["Open", "Answer", "Send", "Cancel", "Read", "Copy result", "Owner", "Inspector"],
    ],
    [
      "has ended",
      { ...job, state: "done", endedAt: 2 },
      ["Open", "Send", "Read", "Copy result", "Owner", "Inspector"],
    ],
    ["has no session yet", { ...job, session: "" }, ["Cancel", "Owner", "Inspector"]],
    [
      "is being stopped",
      { ...job, phase: "stopping" },
      ["Open", "Send", "Read", "Copy result", "Owner", "Inspector"],
    ],
  ])("offers what can be done with a job that %s", (_, each, titles) => {
    expect(actsFor(each).map((name) => acts[name].title)).toEqual(titles)
  })

  it("has no key for two things", () => {
    const binds = Object.values(acts).map(({ bind }) => bind)
    expect(new Set(binds).size).toBe(binds.length)
  })

  it("comes back after what was done there, until the person leaves it", async () => {
    const { terminal, list, read, run } = person(["read", "copy"])
    await run()
    expect(list).toHaveBeenCalledTimes(3)
    expect(read.mock.calls).toEqual([[terminal, expect.objectContaining({ copied: "It is fine." })]])
  })

  it.each<[string, ShownJob, string, string[]]>([
    ["runs", job, "half", ["Prompt: Look", "Written so far: half"]],
    ["has just begun", job, "", ["Prompt: Look", "Written so far: (nothing yet)"]],
    [
      "is retried",
      {
        ...job,
        phase: "retrying",
        retry: { attempt: 3, reason: "429", next: new Date(2026, 0, 2, 14, 3, 20).getTime() },
      },
      "",
      [
        "Prompt: Look",
        "Retrying: attempt 3 failed: 429\nnext attempt at 2026-01-02 14:03:20",
        "Written so far: (nothing yet)",
      ],
    ],
    ["is done", { ...job, state: "done", endedAt: 2 }, "fine", ["Prompt: Look", "Result: fine"]],
    [
      "has timed out",
      { ...job, state: "timedOut", endedAt: 2, error: { kind: "total", message: "not done within 5 s" } },
      "",
      ["Prompt: Look", "Timed out: not done within 5 s", "Result: (it has written nothing)"],
    ],
  ])("shows all that there is to read of a job that %s", async (_, each, text, parts) => {
    const { read, run } = person(["read"], { read: async () => ({ prompt: "Look", text }) }, each)
    await run()
    const [[, page] = []] = read.mock.calls
    expect(page?.parts.map((part) => `${part.title}: ${part.text}`)).toEqual(parts)
  })

  it("shows where the work of a job with a worktree is, and how its check goes", async () => {
    const worktree = { directory: "/data/worktrees/auth", branch: "troupe/1f/auth", base: "b" }
    const check = { command: "npm test", rounds: 1, exitCode: 1, output: "" }
    const partsOf = async (changes: Partial<ShownJob>) => {
      const { read, run } = person(["read"], {}, { ...job, ...changes })
      await run()
      return read.mock.calls[0]?.[1].parts.slice(1, -1).map(({ title, text }) => `${title}: ${text}`)
    }
    expect(await partsOf({ phase: "checking", worktree, check })).toEqual([
      "Branch: troupe/1f/auth\nnot committed yet\n/data/worktrees/auth",
      "Check: checking: npm test, round 2\nnpm test: exited with 1 in round 1",
    ])
    const sealed = { ...worktree, commit: "c", files: 3, insertions: 10, deletions: 2 }
    expect(await partsOf({ state: "done", endedAt: 2, worktree: sealed })).toEqual([
      "Branch: troupe/1f/auth\n+10 −2 in 3 files\n/data/worktrees/auth",
    ])
    expect(await partsOf({ worktree: { ...sealed, files: 0 }, check: { ...check, rounds: 0 } })).toEqual([
      "Branch: troupe/1f/auth\nno files changed\n/data/worktrees/auth",
      "Check: npm test: has not run yet",
    ])
  })

  it("shows what the job needs and who needs it, and which models were tried, where there is any of that", async () => {
    const error = { kind: "provider", message: "rate limit" } as const
    const needs = ["db", "old"].map((id) => ({ id, on: "done" as const }))
    const moved = { ...job, needs, model: "openai/y", attempts: [{ model: "anthropic/x", error }, { error }] }
    const others = [
      shownJob({ id: "db", state: "done", endedAt: 2 }),
      shownJob({ id: "docs", state: "created", phase: "blocked", needs: [{ id: "auth", on: "ended" }] }),
    ]
    const { read, run } = person(["read"], { of: async () => [moved, ...others] }, moved)
    await run()
    const [[, page] = []] = read.mock.calls
    expect(page?.parts.slice(1, -1)).toEqual([
      { title: "Needs", text: "db: done\nold: not known here" },
      { title: "Needed by", text: "docs: blocked" },
      {
        title: "Models",
        text: "anthropic/x: left, rate limit\nopencode's choice: left, rate limit\nopenai/y: has the job now",
      },
    ])
    const answered: ShownJob = { ...moved, needs: [], state: "done", endedAt: 2 }
    const unread = async () => {
      throw new Error("opencode is busy")
    }
    const later = person(["read"], { of: unread }, answered)
    await later.run()
    const [[, result] = []] = later.read.mock.calls
    expect(result?.parts.map(({ title }) => title)).toEqual(["Prompt", "Models", "Result"])
    expect(result?.parts[1]?.text).toContain("openai/y: answered")
    const failed = person(["read"], { of: unread }, { ...answered, state: "failed" })
    await failed.run()
    expect(failed.read.mock.calls[0]?.[1].parts[1]?.text).toContain("openai/y: is asked by a follow-up")
  })

  it.each<[Act, string]>([
    ["open", "ses_1"],
    ["owner", "ses_owner"],
  ])("goes away where a session is to be seen: %s", async (act, session) => {
    const { terminal, list, run } = person([act, "read"])
    await run()
    expect(terminal.open).toHaveBeenCalledWith(session)
    expect(list).toHaveBeenCalledOnce()
  })

  it("cancels only once the person has confirmed it", async () => {
    const cancel = vi.fn(async () => {})
    const left = person(["cancel", "cancel"], { cancel }, job, ["Let it go on"])
    await left.run()
    expect(cancel).not.toHaveBeenCalled()
    await person(["cancel"], { cancel }, job, ["Cancel the job"]).run()
    expect(cancel.mock.calls).toEqual([[job]])
  })

  it("sends nothing that is blank", async () => {
    const send = vi.fn(async () => {})
    const { terminal, run } = person(["send", "send"], { send })
    terminal.prompt.mockResolvedValueOnce("  ")
    await run()
    expect(send.mock.calls).toEqual([[job, "go on"]])
  })

  it.each([
    ["It is fine.", true, "Copied to clipboard"],
    ["It is fine.", false, "This terminal lets no program write to the clipboard (OSC 52)"],
    ["", true, "It has written nothing"],
  ])("says whether a result was copied: %j, %s", async (text, isTaken, message) => {
    const { terminal, run } = person(["copy"], { read: async () => ({ prompt: "Look", text }) })
    terminal.copy.mockReturnValue(isTaken)
    await run()
    expect(terminal.toast).toHaveBeenCalledWith(expect.objectContaining({ message }))
  })

  it.each([
    ["http://127.0.0.1:1/#link=x", 1],
    [undefined, 0],
  ])("shows a link to the inspector, unless the server part does: %s", async (link, times) => {
    const { read, run } = person(["inspect"], { inspect: async () => link })
    await run()
    expect(read).toHaveBeenCalledTimes(times)
  })

  it("says in a toast what fails, and comes back", async () => {
    const gone = async () => {
      throw new Error("This job is no longer there.")
    }
    const { terminal, list, run } = person(["cancel"], { cancel: gone }, job, ["Cancel the job"])
    await run()
    expect(terminal.toast).toHaveBeenCalledWith({
      message: "This job is no longer there.",
      variant: "error",
    })
    expect(list).toHaveBeenCalledTimes(2)
  })
})
