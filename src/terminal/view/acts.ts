import { descriptionOf } from "../../machines/description.ts"
import { clockTime } from "../../machines/durations.ts"
import { hasEnded, type ShownJob } from "../jobs.ts"
import type { Terminal } from "../terminal.ts"
import { answer } from "./answer.ts"
import { changeWords, checkingWords, placeWords, stateWords } from "./rows.ts"

/** What a person can do with a job. */
export type Act = "open" | "answer" | "send" | "cancel" | "read" | "copy" | "owner" | "inspect"

/** What is done without anything else to see than a toast: the list stays as it is. */
export const staysInList = (act: Act): boolean => act === "copy"

/** Where an act leads: back to the list, or away from it. */
type Next = "list" | "away"

type Offer = { title: string; id: string; bind: string; isFor(job: ShownJob): boolean }

const hasSession = ({ session }: ShownJob) => session !== ""

/** In the order in which they are offered. */
export const acts: Record<Act, Offer> = {
  open: { title: "Open", id: "dialog.select.submit", bind: "return", isFor: hasSession },
  answer: {
    title: "Answer",
    id: "troupe.job.answer",
    bind: "ctrl+a",
    isFor: (job) => !hasEnded(job) && job.asks !== undefined && job.asks.length > 0,
  },
  send: { title: "Send", id: "troupe.job.send", bind: "ctrl+s", isFor: hasSession },
  cancel: {
    title: "Cancel",
    id: "troupe.job.cancel",
    bind: "ctrl+d",
    isFor: (job) => !hasEnded(job) && job.phase !== "stopping",
  },
  read: { title: "Read", id: "troupe.job.read", bind: "ctrl+r", isFor: hasSession },
  copy: { title: "Copy result", id: "troupe.job.copy", bind: "ctrl+y", isFor: hasSession },
  inspect: { title: "Inspector", id: "troupe.inspector", bind: "ctrl+g", isFor: () => true },
  owner: { title: "Owner", id: "troupe.job.owner", bind: "ctrl+o", isFor: () => true },
}

export const actNames: readonly Act[] = [
  "open",
  "answer",
  "send",
  "cancel",
  "read",
  "copy",
  "owner",
  "inspect",
]

export const actsFor = (job: ShownJob): Act[] => actNames.filter((act) => acts[act].isFor(job))

/** A text in full, until the person closes it. `copied`: what they can copy of it. */
export type Page = { title: string; note: string; parts: { title: string; text: string }[]; copied: string }
export type Read = (terminal: Terminal, page: Page) => Promise<void>

/** @throws Error with words for the person */
export async function perform(terminal: Terminal, act: Act, job: ShownJob, read: Read): Promise<Next> {
  const { jobs } = terminal
  switch (act) {
    case "open":
      terminal.open(job.session)
      return "away"
    case "owner":
      terminal.open(job.owner)
      return "away"
    case "answer":
      await answer(terminal, job)
      return "list"
    case "cancel":
      if (await isSure(terminal, job)) await jobs.cancel(job)
      return "list"
    case "send":
      await send(terminal, job)
      return "list"
    case "read":
      await read(terminal, pageOf(job, await jobs.read(job), await siblingsOf(terminal, job)))
      return "list"
    case "inspect":
      await inspect(terminal, read)
      return "list"
    case "copy":
      copy(terminal, (await jobs.read(job)).text)
      return "list"
  }
}

/** Those of the same owner. What is to be read is there without them. */
const siblingsOf = ({ jobs }: Terminal, { owner }: ShownJob): Promise<readonly ShownJob[]> =>
  jobs.of(owner).catch(() => [])

function pageOf(
  job: ShownJob,
  { prompt, text }: { prompt: string; text: string },
  siblings: readonly ShownJob[],
): Page {
  const { id, state, error } = job
  const reason = error?.message ? [{ title: capital(stateWords[state]), text: error.message }] : []
  const written = hasEnded(job)
    ? { title: "Result", text: text || "(it has written nothing)" }
    : { title: "Written so far", text: text || "(nothing yet)" }
  return {
    title: id,
    note: descriptionOf(job),
    parts: [
      { title: "Prompt", text: prompt },
      ...needParts(job, siblings),
      ...modelParts(job),
      ...worktreeParts(job),
      ...checkParts(job),
      ...retryParts(job),
      ...reason,
      written,
    ],
    copied: text,
  }
}

/** What it needs and who needs it, each with how it stands. */
function needParts({ id, needs = [] }: ShownJob, siblings: readonly ShownJob[]): Page["parts"] {
  const standing = (needed: string) => {
    const job = siblings.find((each) => each.id === needed)
    return `${needed}: ${job ? placeWords(job) : "not known here"}`
  }
  const dependents = siblings.filter((each) => each.needs?.some((need) => need.id === id))
  const part = (title: string, ids: readonly string[]) =>
    ids.length > 0 ? [{ title, text: ids.map(standing).join("\n") }] : []
  return [
    ...part(
      "Needs",
      needs.map((need) => need.id),
    ),
    ...part(
      "Needed by",
      dependents.map((each) => each.id),
    ),
  ]
}

/** Which models were tried, why each was left, and which one has it. */
function modelParts({ model, attempts = [], state, endedAt }: ShownJob): Page["parts"] {
  if (attempts.length === 0) return []
  const left = attempts.map(
    (attempt) => `${attempt.model ?? "opencode's choice"}: left, ${attempt.error.message}`,
  )
  // Its session is still that of the one before.
  const isNext = state !== "done" && attempts.at(-1)?.session === undefined
  const had = state === "done" ? "answered" : isNext ? "is asked by a follow-up" : "had it at the end"
  const end = endedAt === undefined ? "has the job now" : had
  return [{ title: "Models", text: [...left, `${model ?? "opencode's choice"}: ${end}`].join("\n") }]
}

/** Where its work is, and how much that is. */
function worktreeParts({ worktree }: ShownJob): Page["parts"] {
  if (!worktree) return []
  const { branch, directory, commit, files } = worktree
  const changes = commit === undefined ? "not committed yet" : files === 0 ? "no files changed" : undefined
  return [{ title: "Branch", text: [branch, changes ?? changeWords(worktree), directory].join("\n") }]
}

/** What has to pass, and how that went. */
function checkParts({ check, phase }: ShownJob): Page["parts"] {
  if (!check) return []
  const { command, exitCode, rounds } = check
  const end = exitCode === 0 ? "passed" : `exited with ${exitCode}`
  const how = exitCode === undefined ? "did not end by itself" : end
  const last = rounds === 0 ? `${command}: has not run yet` : `${command}: ${how} in round ${rounds}`
  return [{ title: "Check", text: phase === "checking" ? [checkingWords(check), last].join("\n") : last }]
}

/** Why nothing more is written for a while. */
function retryParts({ retry, phase }: ShownJob): Page["parts"] {
  if (phase !== "retrying" || !retry) return []
  const { attempt, reason, next } = retry
  const until = `next attempt at ${clockTime(next, Date.now())}`
  return [{ title: "Retrying", text: `attempt ${attempt} failed: ${reason}\n${until}` }]
}

const capital = (words: string) => `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`

/** Shows a link to the inspector, on whose machine the browser has to be. @throws Error that says why there is none */
export async function inspect(terminal: Terminal, read: Read): Promise<void> {
  const link = await terminal.jobs.inspect()
  if (link === undefined) return
  const title = "Open this link within ten minutes, on the machine where opencode's server runs:"
  await read(terminal, { title: "Inspector", note: "", parts: [{ title, text: link }], copied: link })
}

/** opencode's own dialog would have "Cancel" mean that nothing is cancelled. */
async function isSure({ choose }: Terminal, { id, description }: ShownJob): Promise<boolean> {
  const chosen = await choose({
    title: `Cancel ${id}?`,
    note: "",
    about: description,
    parts: [{ title: "", text: "What it has written is kept. The jobs that it started end with it." }],
    wrap: "word",
    items: [
      { title: "Cancel the job", value: true },
      { title: "Let it go on", value: false },
    ],
  })
  return chosen?.value === true
}

async function send({ jobs, prompt, toast }: Terminal, job: ShownJob): Promise<void> {
  const message = await prompt({
    title: `${hasEnded(job) ? "Follow-up" : "Message"} to ${job.id}`,
    placeholder: "What it is to do",
  })
  if (message === undefined || message.trim() === "") return
  await jobs.send(job, message)
  toast({ message: `Sent to ${job.id}`, variant: "success" })
}

/** Says whether it worked: nobody sees a clipboard. */
export function copy({ copy, toast }: Terminal, text: string): void {
  if (text === "") toast({ message: "It has written nothing", variant: "info" })
  else if (copy(text)) toast({ message: "Copied to clipboard", variant: "info" })
  else toast({ message: "This terminal lets no program write to the clipboard (OSC 52)", variant: "error" })
}
