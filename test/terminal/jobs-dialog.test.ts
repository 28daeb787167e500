import { describe, expect, it, vi } from "vitest"
import type { Jobs, ShownJob } from "../../src/terminal/jobs.ts"
import type { Option, Terminal } from "../../src/terminal/terminal.ts"
import { jobsDialog } from "../../src/terminal/view/jobs-dialog.ts"
import { shownJob } from "./support/shown-job.ts"

const job = shownJob()

/** A person who picks what is called so in each list that is shown. */
function person(picks: string[], jobs: Partial<Jobs> = {}, all: ShownJob[] = [job]) {
  const shown: string[][] = []
  const unexpected = () => expect.fail("nobody chose this")
  const terminal = {
    jobs: {
      all: async () => all,
      of: unexpected,
      waiting: unexpected,
      read: unexpected,
      cancel: unexpected,
      send: unexpected,
      request: unexpected,
      answer: unexpected,
      subscribe: unexpected,
      ...jobs,
    },
    color: unexpected,
    sidebar: unexpected,
    command: unexpected,
    dialog: unexpected,
    choose: unexpected,
    listKeys: unexpected,
    select: async <Value>({ options }: { options: Option<Value>[] }) => {
      shown.push(options.map(({ title }) => title))
      const pick = picks.shift()
      return options.find(({ title }) => pick !== undefined && title.includes(pick))?.value
    },
    toast: vi.fn(),
    show: vi.fn(async () => {}),
    open: vi.fn(),
    confirm: vi.fn(async () => true),
    prompt: vi.fn(async () => "go on"),
  } satisfies Terminal
  return { terminal, shown, run: () => jobsDialog(terminal) }
}

describe("/troupe", () => {
  it("says what to do where there are no jobs", async () => {
    const { terminal, run } = person([], {}, [])
    await run()
    expect(terminal.toast).toHaveBeenCalledWith({
      message: "No jobs. Ask the agent for parallel work to start some.",
      variant: "info",
    })
  })

  it.each<[string, ShownJob, string[]]>([
    ["runs", job, ["Open its session", "Show prompt and what it has written", "Send a message", "Cancel"]],
    [
      "waits for a permission",
      { ...job, phase: "permission", asks: [{ id: "r", kind: "permission", text: "bash" }] },
      ["Answer", "Open its session", "Show prompt and what it has written", "Send a message", "Cancel"],
    ],
    [
      "has ended",
      { ...job, state: "done", endedAt: 2 },
      ["Open its session", "Show prompt and result", "Send a follow-up"],
    ],
  ])("offers what can be done with a job that %s", async (_, each, acts) => {
    const { shown, run } = person(["auth"], {}, [each])
    await run()
    expect(shown[1]).toEqual(acts)
  })

  it("cancels only once the person has confirmed it", async () => {
    const cancel = vi.fn(async () => {})
    const { terminal, run } = person(["auth", "Cancel"], { cancel })
    terminal.confirm.mockResolvedValueOnce(false)
    await run()
    expect(cancel).not.toHaveBeenCalled()
    await person(["auth", "Cancel"], { cancel }).run()
    expect(cancel).toHaveBeenCalledWith(job)
  })

  it("sends nothing that is blank", async () => {
    const send = vi.fn(async () => {})
    const { terminal, run } = person(["auth", "Send"], { send })
    terminal.prompt.mockResolvedValueOnce("  ")
    await run()
    expect(send).not.toHaveBeenCalled()
  })

  it("says in a toast what fails, in whatever step", async () => {
    const gone = async () => {
      throw new Error("This job is no longer there.")
    }
    for (const failing of [person([], { all: gone }), person(["auth", "Show"], { read: gone })]) {
      await failing.run()
      expect(failing.terminal.toast).toHaveBeenCalledWith({
        message: "This job is no longer there.",
        variant: "error",
      })
    }
  })
})
