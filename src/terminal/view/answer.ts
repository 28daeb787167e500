import type { Answer, PermissionRequest, Question, QuestionRequest, Request } from "../../shown/requests.ts"
import { slashes } from "../contract.ts"
import type { Ask, ShownJob } from "../jobs.ts"
import { type Item, nowhere, type Terminal } from "../terminal.ts"
import { told } from "./told.ts"

/**
 * Has the person answer what this job asks, and then what others ask. Whether they answered anything.
 * @throws Error that says why an answer was not taken
 */
export const answer = (terminal: Terminal, job: ShownJob): Promise<boolean> => answerAll(terminal, job)

/** Has the person answer whatever waits, the oldest first. What fails is said in a toast. */
export async function answerWaiting(terminal: Terminal): Promise<void> {
  await told(terminal, async () => {
    const waiting = await terminal.jobs.waiting()
    if (waiting.length > 0) await answerAll(terminal)
    else terminal.toast({ message: "No job waits for you.", variant: "info" })
  })
}

/** Tells a person who has just come what waits for them: they have missed the toasts. */
export async function sayWhatWaits({ jobs, toast }: Terminal): Promise<void> {
  // Who serves no jobs yet has none that wait.
  const waiting = requestsIn(await jobs.waiting().catch(() => []))
  const [first] = waiting
  if (!first) return
  const what = waiting.length === 1 ? `${first.job.id} waits` : `${waiting.length} requests of jobs wait`
  toast({ message: `${what} for you · /${slashes.answer}`, variant: "warning" })
}

type Waiting = { job: ShownJob; ask: Ask }

/** Those of `first`, then the oldest. What a job below another one asks is asked once. */
function requestsIn(jobs: readonly ShownJob[], first?: ShownJob): Waiting[] {
  const isFirst = (job: ShownJob) => job.owner === first?.owner && job.id === first.id
  const since = ({ waitingSince = Number.MAX_SAFE_INTEGER }: ShownJob) => waitingSince
  const found = jobs
    .toSorted((a, b) => Number(isFirst(b)) - Number(isFirst(a)) || since(a) - since(b))
    .flatMap((job) => (job.asks ?? []).map((ask) => ({ job, ask })))
  const byId = new Map<string, Waiting>()
  for (const each of found) {
    // That of the job which asks itself.
    if (!byId.has(each.ask.id) || each.ask.session === undefined) byId.set(each.ask.id, each)
  }
  return [...byId.values()]
}

async function answerAll(terminal: Terminal, first?: ShownJob): Promise<boolean> {
  /** Opencode may still tell of them. */
  const over = new Set<string>()
  let answered = 0
  let last: Outcome | "failed" | undefined
  for (;;) {
    const waiting = requestsIn(await terminal.jobs.waiting(), first).filter(({ ask }) => !over.has(ask.id))
    const [next] = waiting
    if (!next) return answered > 0
    over.add(next.ask.id)
    const count = { number: answered + 1, total: answered + waiting.length }
    // One that cannot be answered must not keep the person from the others.
    last = (await told(terminal, () => put(terminal, next, count, last === "late"))) ?? "failed"
    if (last === "closed") return answered > 0
    if (last === "answered") answered++
    if (last === "late") terminal.toast({ message: lateWords(next.job), variant: "info" })
  }
}

/** What became of a request that was put to the person; nothing where it was over before. */
type Outcome = "answered" | "late" | "closed" | "over"

/** @param isUnexpected it takes the place of another one, which the person may be about to answer */
async function put(
  terminal: Terminal,
  waiting: Waiting,
  count: Count,
  isUnexpected: boolean,
): Promise<Outcome> {
  const request = await terminal.jobs.request(waiting.job, waiting.ask)
  if (!request) return "over"
  let given: Answers = {}
  for (;;) {
    const reaction = await react(terminal, waiting, request, { ...count, isUnexpected, given })
    if (typeof reaction === "string") return reaction
    const answering = async () => ((await terminal.jobs.answer(request, reaction)) ? "answered" : "late")
    if (reaction.kind !== "answers") return answering()
    const outcome = await told(terminal, answering)
    if (outcome) return outcome
    // Who has written something that is refused need not write it again.
    given = reaction.answers
  }
}

const lateWords = ({ id }: ShownJob) =>
  `${id} no longer asks this: it was answered elsewhere, or the job has ended.`

type Count = { number: number; total: number }
/** By the questions' keys. */
type Answers = Extract<Answer, { kind: "answers" }>["answers"]
type Reaction = Answer | "closed" | "late"

/** What the person wants, or that somebody else was quicker. */
async function react(
  terminal: Terminal,
  waiting: Waiting,
  request: Request,
  { number, total, isUnexpected, given }: Count & { isUnexpected: boolean; given: Answers },
): Promise<Reaction> {
  const end = new AbortController()
  const late = untilAnswered(terminal, waiting, end.signal)
  const note = total > 1 ? `request ${number} of ${total}` : ""
  const dialog = { terminal, job: waiting.job, note, late, ...(isUnexpected && { cursor: nowhere }) }
  try {
    const wish = await (request.kind === "permission"
      ? decide(dialog, request)
      : fillIn(dialog, request, given))
    if (wish !== "open") return wish
    terminal.open(request.session)
    return "closed"
  } finally {
    end.abort()
  }
}

/** Resolves once this is no longer open. */
function untilAnswered({ jobs }: Terminal, { job, ask }: Waiting, ended: AbortSignal): Promise<"late"> {
  return new Promise((resolve) => {
    async function look(): Promise<void> {
      const now = await jobs.of(job.owner).catch(() => undefined)
      const asks = now?.find(({ id }) => id === job.id)?.asks ?? []
      if (now && !asks.some(({ id }) => id === ask.id)) resolve("late")
    }
    const stop = jobs.subscribe(() => void look(), job.owner)
    ended.addEventListener("abort", stop)
    void look()
  })
}

type Dialog = { terminal: Terminal; job: ShownJob; note: string; late: Promise<"late">; cursor?: number }

type Decided = "once" | "always" | "reject" | "reject with words" | "open" | "late"

async function decide(dialog: Dialog, request: PermissionRequest): Promise<Reaction | "open"> {
  const { terminal, job, note, late, cursor } = dialog
  const items: Item<Decided>[] = [
    { title: "Allow once", value: "once" },
    { title: "Allow always", description: [...new Set(request.always)].join(", "), value: "always" },
    { title: "Deny", value: "reject" },
    { title: "Deny, and say what to do instead", value: "reject with words" },
    { title: "Open its session", value: "open" },
  ]
  const title = `${job.id} asks for permission: ${request.action}`
  for (;;) {
    const { parts } = request
    const menu = { title, note, about: job.description, parts, wrap: "char" as const, items, cursor }
    const chosen = await terminal.choose(menu, late)
    if (!chosen) return "closed"
    switch (chosen.value) {
      case "open":
      case "late":
        return chosen.value
      case "reject with words": {
        const message = await write(terminal, job, "What it is to do instead")
        if (message !== undefined) return { kind: "decision", decision: "reject", message }
        break
      }
      default:
        return { kind: "decision", decision: chosen.value }
    }
  }
}

/** @param before answers that were refused, to begin with */
async function fillIn(
  dialog: Dialog,
  { questions }: QuestionRequest,
  before: Answers,
): Promise<Reaction | "open"> {
  const answers: Record<string, readonly string[]> = {}
  for (const [index, question] of questions.entries()) {
    const place = questions.length > 1 ? `, question ${index + 1} of ${questions.length}` : ""
    const given = await putTo(dialog, question, place, before[question.key])
    if (typeof given === "string") return given === "dismiss" ? { kind: "dismissal" } : given
    answers[question.key] = given
  }
  return { kind: "answers", answers }
}

type Given = readonly string[] | "dismiss" | "open" | "late" | "closed"

async function putTo(
  dialog: Dialog,
  question: Question,
  place: string,
  before: readonly string[] = [],
): Promise<Given> {
  const { terminal, job, note, late, cursor } = dialog
  const { title, text, choices, isMultiple, takesText } = question
  let own: readonly string[] = before.filter((each) => !choices.some(({ value }) => value === each))
  let marked = isMultiple ? before : []
  const about = [...(title === "" || title === text ? [] : [title]), job.description].join(" · ")
  for (;;) {
    const choice = isMultiple
      ? ({ value }: { value: string }) => ({ mark: value })
      : ({ value }: { value: string }) => ({ value: [value] })
    const items: Item<Given | "write" | "send">[] = [
      ...choices.map((each) => ({ title: each.label, description: each.description, ...choice(each) })),
      ...(isMultiple ? own.map((mark) => ({ title: mark, mark })) : []),
      ...(takesText ? [{ title: "Write an answer", value: "write" as const }] : []),
      ...(isMultiple ? [{ title: "Send what is marked", value: "send" as const }] : []),
      ...(choices.length === 0 && !takesText ? [{ title: "It is done", value: [] }] : []),
      { title: "Dismiss the question", value: "dismiss" },
      { title: "Open its session", value: "open" },
    ]
    // Once something is written, that can be sent, or written otherwise.
    const chosen = await terminal.choose<Given | "write" | "send">(
      {
        title: `${job.id} asks${place}`,
        note,
        about,
        parts: [{ title: "", text }],
        wrap: "word",
        items,
        marked,
        cursor: own.length === 0 ? cursor : choices.length + (isMultiple ? own.length + 1 : 0),
      },
      late,
    )
    if (!chosen) return "closed"
    if (chosen.value === "send") return chosen.marked
    if (chosen.value !== "write") return chosen.value
    const written = await write(terminal, job, text, isMultiple ? undefined : own[0])
    if (written !== undefined && !isMultiple) return [written]
    marked = [...new Set([...chosen.marked, ...(written === undefined ? [] : [written])])]
    const known = [...choices.map(({ value }) => value), ...own]
    if (written !== undefined && !known.includes(written)) own = [...own, written]
  }
}

/** Nothing where the person writes nothing. */
async function write(
  terminal: Terminal,
  { id }: ShownJob,
  placeholder: string,
  value?: string,
): Promise<string | undefined> {
  const written = await terminal.prompt({ title: `To ${id}`, placeholder, value })
  return written?.trim() === "" ? undefined : written
}
