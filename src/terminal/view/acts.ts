import { hasEnded, type ShownJob } from "../jobs.ts"
import type { Terminal } from "../terminal.ts"
import { answer } from "./answer.ts"

/** What a person can do with a job. */
export type Act = "open" | "answer" | "send" | "cancel" | "read" | "copy" | "owner"

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
  owner: { title: "Owner", id: "troupe.job.owner", bind: "ctrl+o", isFor: () => true },
}

export const actNames: readonly Act[] = ["open", "answer", "send", "cancel", "read", "copy", "owner"]

export const actsFor = (job: ShownJob): Act[] => actNames.filter((act) => acts[act].isFor(job))

/** Prompt and result in full. */
export type Read = (terminal: Terminal, job: ShownJob) => Promise<void>

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
      await read(terminal, job)
      return "list"
    case "copy":
      copy(terminal, (await jobs.read(job)).text)
      return "list"
  }
}

const isSure = ({ confirm }: Terminal, { id }: ShownJob) =>
  confirm({
    title: `Cancel ${id}?`,
    message: "What it has written is kept. The jobs that it started end with it.",
  })

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
