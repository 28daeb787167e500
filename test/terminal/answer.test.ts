import { describe, expect, it, vi } from "vitest"
import type { Answer, Question, Request } from "../../src/shown/requests.ts"
import type { Jobs, ShownJob } from "../../src/terminal/jobs.ts"
import type { Chosen, Menu, Terminal } from "../../src/terminal/terminal.ts"
import { answer, answerWaiting } from "../../src/terminal/view/answer.ts"
import { shownJob } from "./support/shown-job.ts"

const permission = (id: string, changes: Partial<Request> = {}): Request =>
  ({
    id,
    session: "ses_1",
    kind: "permission",
    action: "bash",
    parts: [{ title: "", text: "npm test" }],
    always: ["npm *"],
    ...changes,
  }) as Request

const question = (id: string, ...questions: Partial<Question>[]): Request => ({
  id,
  session: "ses_1",
  kind: "question",
  questions: questions.map((each, index) => ({
    key: `q${index}`,
    title: "Colour",
    text: "Which colour?",
    choices: [
      { value: "red", label: "Red", description: "As a rose" },
      { value: "blue", label: "Blue" },
    ],
    isMultiple: false,
    takesText: true,
    ...each,
  })),
})

/** A job that waits for these. */
const waiting = (id: string, since: number, ...requests: Request[]): ShownJob =>
  shownJob({
    id,
    waitingSince: since,
    asks: requests.map((request) => ({ id: request.id, kind: request.kind, text: "in short" })),
  })

/** Sets these marks and picks the item that is called so. */
type Pick = string | { marks: string[]; pick: string }

/** A person who picks this in one menu after the other, then closes it. */
function person(requests: Request[], all: ShownJob[], picks: Pick[], written: (string | undefined)[] = []) {
  const menus: Menu<unknown>[] = []
  const answers: [string, Answer][] = []
  let hear: (owner: string) => void = () => {}
  const unexpected = () => expect.fail("nobody wanted this")
  const jobs: Jobs = {
    all: unexpected,
    waiting: async () => all.filter(({ asks }) => asks),
    of: async () => all,
    glance: unexpected,
    title: unexpected,
    inspect: unexpected,
    request: async (_, ask) => requests.find(({ id }) => id === ask.id),
    answer: async (request, given) => {
      answers.push([request.id, given])
      return true
    },
    subscribe: (listener) => {
      hear = listener
      return () => {}
    },
    read: unexpected,
    cancel: unexpected,
    send: unexpected,
  }
  const terminal = {
    jobs,
    color: unexpected,
    sidebar: unexpected,
    promptLine: unexpected,
    command: unexpected,
    dialog: unexpected,
    keys: unexpected,
    close: unexpected,
    shown: unexpected,
    copy: unexpected,
    open: vi.fn(),
    toast: vi.fn(),
    prompt: async (_: { value?: string | undefined }) => written.shift(),
    choose: async <Value>(menu: Menu<Value>, until?: Promise<Value>): Promise<Chosen<Value> | undefined> => {
      menus.push(menu)
      const next = picks.shift()
      if (next === "wait") return until?.then((value) => ({ value, marked: [] }))
      const { marks, pick } = typeof next === "object" ? next : { marks: [], pick: next }
      const item = menu.items.find(({ title }) => title === pick)
      return item && "value" in item
        ? { value: item.value, marked: [...(menu.marked ?? []), ...marks] }
        : undefined
    },
  } satisfies Terminal
  return { terminal, menus, answers, tell: () => hear("ses_owner") }
}

describe("A permission request in the terminal", () => {
  it("shows which job asks for what, in full", async () => {
    const { terminal, menus } = person([permission("p")], [waiting("lint", 1, permission("p"))], [])
    expect(await answer(terminal, waiting("lint", 1, permission("p")))).toBe(false)
    expect(menus[0]).toMatchObject({
      title: "lint asks for permission: bash",
      about: "Review it",
      note: "",
      parts: [{ title: "", text: "npm test" }],
    })
  })

  it.each<[string, Answer]>([
    ["Allow once", { kind: "decision", decision: "once" }],
    ["Allow always", { kind: "decision", decision: "always" }],
    ["Deny", { kind: "decision", decision: "reject" }],
    ["Deny, and say what to do instead", { kind: "decision", decision: "reject", message: "use make" }],
  ])("is answered with %s", async (pick, given) => {
    const lint = waiting("lint", 1, permission("p"))
    const { terminal, answers } = person([permission("p")], [lint], [pick], ["use make"])
    expect(await answer(terminal, lint)).toBe(true)
    expect(answers).toEqual([["p", given]])
  })

  it("is still there for whoever has nothing to say", async () => {
    const lint = waiting("lint", 1, permission("p"))
    const picks = ["Deny, and say what to do instead", "Allow once"]
    const { terminal, answers } = person([permission("p")], [lint], picks, ["  "])
    await answer(terminal, lint)
    expect(answers).toEqual([["p", { kind: "decision", decision: "once" }]])
  })

  it("leads to the session that asks", async () => {
    const lint = waiting("lint", 1, permission("p"))
    const below = permission("p", { session: "ses_below" })
    const { terminal, answers } = person([below], [lint], ["Open its session"])
    await answer(terminal, lint)
    expect(terminal.open).toHaveBeenCalledWith("ses_below")
    expect(answers).toEqual([])
  })
})

describe("A question in the terminal", () => {
  it.each<[string, Partial<Question>, Pick[], readonly string[]]>([
    ["one of its choices", {}, ["Blue"], ["blue"]],
    ["words of the person's own", {}, ["Write an answer"], ["mauve"]],
    [
      "several",
      { isMultiple: true },
      [{ marks: ["red", "blue"], pick: "Send what is marked" }],
      ["red", "blue"],
    ],
    [
      "several and words of the person's own",
      { isMultiple: true },
      [{ marks: ["red"], pick: "Write an answer" }, "Send what is marked"],
      ["red", "mauve"],
    ],
    ["nothing but that it is done", { choices: [], takesText: false }, ["It is done"], []],
  ])("is answered with %s", async (_, each, picks, given) => {
    const ask = waiting("ask", 1, question("q", each))
    const { terminal, answers } = person([question("q", each)], [ask], picks, ["mauve"])
    expect(await answer(terminal, ask)).toBe(true)
    expect(answers).toEqual([["q", { kind: "answers", answers: { q0: given } }]])
  })

  it("is answered once with what the person writes though it is there", async () => {
    const each = { isMultiple: true }
    const ask = waiting("ask", 1, question("q", each))
    const picks: Pick[] = [
      { marks: ["red"], pick: "Write an answer" },
      "Write an answer",
      "Send what is marked",
    ]
    const { terminal, menus, answers } = person([question("q", each)], [ask], picks, ["red", "red"])
    await answer(terminal, ask)
    expect(answers).toEqual([["q", { kind: "answers", answers: { q0: ["red"] } }]])
    expect(menus.at(-1)?.items.filter((item) => "mark" in item && item.mark === "red")).toHaveLength(1)
  })

  it("of several is answered when all are", async () => {
    const request = question("q", {}, { text: "Which size?", choices: [] })
    const ask = waiting("ask", 1, request)
    const { terminal, menus, answers } = person([request], [ask], ["Red", "Write an answer"], ["large"])
    await answer(terminal, ask)
    expect(menus.map(({ title, parts }) => `${title}: ${parts.map(({ text }) => text)}`)).toEqual([
      "ask asks, question 1 of 2: Which colour?",
      "ask asks, question 2 of 2: Which size?",
    ])
    expect(answers).toEqual([["q", { kind: "answers", answers: { q0: ["red"], q1: ["large"] } }]])
  })

  it("that is refused is asked again, and what the person has written stands there", async () => {
    const rows = question("q", { choices: [] }, { isMultiple: true })
    const picks = ["Write an answer", { marks: ["red"], pick: "Write an answer" }, "Send what is marked"]
    const { terminal, menus, answers } = person(
      [rows],
      [waiting("lint", 1, rows)],
      [...picks, "Write an answer", "Send what is marked"],
      ["a dozen", "mauve", "12"],
    )
    const { answer: take } = terminal.jobs
    const prompt = vi.spyOn(terminal, "prompt")
    terminal.jobs.answer = async (request, given) => {
      await take(request, given)
      if (answers.length === 1) throw new Error("Rows must be a number")
      return true
    }
    await answerWaiting(terminal)
    expect(answers.map(([, given]) => given)).toEqual([
      { kind: "answers", answers: { q0: ["a dozen"], q1: ["red", "mauve"] } },
      { kind: "answers", answers: { q0: ["12"], q1: ["red", "mauve"] } },
    ])
    expect(terminal.toast.mock.calls).toEqual([[{ message: "Rows must be a number", variant: "error" }]])
    expect(prompt.mock.calls.map(([given]) => given.value)).toEqual([undefined, undefined, "a dozen"])
    const chosenAtFirst = menus.slice(3).map(({ items, cursor = 0 }) => items[cursor]?.title)
    expect(chosenAtFirst).toEqual(["Write an answer", "Send what is marked"])
  })

  it("can be dismissed", async () => {
    const ask = waiting("ask", 1, question("q", {}))
    const { terminal, answers } = person([question("q", {})], [ask], ["Dismiss the question"])
    await answer(terminal, ask)
    expect(answers).toEqual([["q", { kind: "dismissal" }]])
  })
})

describe("Several requests", () => {
  const requests = [permission("a"), permission("b"), permission("c")]
  const jobs = [
    waiting("late", 3, permission("a")),
    waiting("early", 1, permission("b")),
    waiting("middle", 2, permission("c")),
  ]

  it("follow each other from the oldest on, and say how many there are", async () => {
    const { terminal, menus } = person(requests, jobs, ["Deny", "Deny", "Deny"])
    await answerWaiting(terminal)
    expect(menus.map(({ title, note }) => `${title} ${note}`)).toEqual([
      "early asks for permission: bash request 1 of 3",
      "middle asks for permission: bash request 2 of 3",
      "late asks for permission: bash request 3 of 3",
    ])
  })

  it("begin with the job that the person has picked", async () => {
    const { terminal, answers } = person(requests, jobs, ["Deny", "Deny", "Deny"])
    await answer(terminal, waiting("middle", 2, permission("c")))
    expect(answers.map(([id]) => id)).toEqual(["c", "b", "a"])
  })

  it("end when the person closes one", async () => {
    const { terminal, menus, answers } = person(requests, jobs, ["Deny"])
    await answerWaiting(terminal)
    expect(menus).toHaveLength(2)
    expect(answers).toHaveLength(1)
  })

  it("do not wait for one that cannot be answered, of which the person hears", async () => {
    const { terminal, answers } = person(requests, jobs, ["Deny", "Deny", "Deny"])
    const { request } = terminal.jobs
    terminal.jobs.request = async (job, ask) => {
      if (ask.id === "c") throw new Error("no such call")
      return request(job, ask)
    }
    await answerWaiting(terminal)
    expect(answers.map(([id]) => id)).toEqual(["b", "a"])
    expect(terminal.toast.mock.calls).toEqual([[{ message: "no such call", variant: "error" }]])
  })

  it("of a job that another job's child has started are asked once, in its own name", async () => {
    const child = waiting("child", 1, permission("a"))
    const parent = shownJob({
      id: "parent",
      waitingSince: 1,
      asks: [{ id: "a", kind: "permission", text: "in short", session: "ses_child" }],
    })
    const { terminal, menus } = person(requests, [parent, child], ["Deny"])
    await answerWaiting(terminal)
    expect(menus.map(({ title }) => title)).toEqual(["child asks for permission: bash"])
  })
})

describe("A request that is answered elsewhere", () => {
  const lint = waiting("lint", 1, permission("p"))
  const elsewhere = {
    message: "lint no longer asks this: it was answered elsewhere, or the job has ended.",
    variant: "info",
  }

  it("before it is shown is passed over", async () => {
    const { terminal, menus } = person([], [lint], [])
    expect(await answer(terminal, lint)).toBe(false)
    expect(menus).toEqual([])
  })

  it("while it is shown goes away, and the person hears why", async () => {
    const all = [lint]
    const { terminal, menus, answers, tell } = person([permission("p")], all, ["wait"])
    const answering = answer(terminal, lint)
    await vi.waitFor(() => expect(menus).toHaveLength(1))
    all.splice(0)
    tell()
    expect(await answering).toBe(false)
    expect(terminal.toast).toHaveBeenCalledWith(elsewhere)
    expect(answers).toEqual([])
  })

  it("gives way to the next, in which nothing is chosen by a key that was meant for it", async () => {
    const other = waiting("other", 2, permission("o"))
    const all = [lint, other]
    const { terminal, menus, tell } = person([permission("p"), permission("o")], all, ["wait"])
    const answering = answer(terminal, lint)
    await vi.waitFor(() => expect(menus).toHaveLength(1))
    all.splice(0, 1)
    tell()
    await answering
    expect(menus.map(({ cursor }) => cursor)).toEqual([undefined, -1])
  })

  it("at the same moment is not taken for answered", async () => {
    const { terminal } = person([permission("p")], [lint], ["Deny"])
    terminal.jobs.answer = async () => false
    expect(await answer(terminal, lint)).toBe(false)
    expect(terminal.toast).toHaveBeenCalledWith(elsewhere)
  })
})

describe("The command that answers", () => {
  it("says so where nothing waits", async () => {
    const { terminal } = person([], [shownJob()], [])
    await answerWaiting(terminal)
    expect(terminal.toast).toHaveBeenCalledWith({ message: "No job waits for you.", variant: "info" })
  })

  it("says in a toast what fails", async () => {
    const { terminal } = person([], [], [])
    terminal.jobs.waiting = async () => {
      throw new Error("opencode is away")
    }
    await answerWaiting(terminal)
    expect(terminal.toast).toHaveBeenCalledWith({ message: "opencode is away", variant: "error" })
  })
})
