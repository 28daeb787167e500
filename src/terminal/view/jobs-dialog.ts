import { hasEnded, type ShownJob } from "../jobs.ts"
import type { Option, Terminal } from "../terminal.ts"
import { answer } from "./answer.ts"
import { rowOf, sortedByUrgency } from "./rows.ts"

/** All jobs of the project, to go to one or to do something with it. What fails is said in a toast. */
export async function jobsDialog(terminal: Terminal): Promise<void> {
  try {
    await chooseAndAct(terminal)
  } catch (error) {
    terminal.toast({ message: error instanceof Error ? error.message : String(error), variant: "error" })
  }
}

async function chooseAndAct(terminal: Terminal): Promise<void> {
  const all = await terminal.jobs.all()
  if (all.length === 0) {
    terminal.toast({ message: "No jobs. Ask the agent for parallel work to start some.", variant: "info" })
    return
  }
  const now = Date.now()
  const job = await terminal.select({
    title: "Jobs",
    options: sortedByUrgency(all).map((each) => optionOf(each, now)),
  })
  if (!job) return
  const act = await terminal.select({
    title: `${job.id}: ${job.description}`,
    options: actsFor(terminal, job),
  })
  await act?.()
}

function optionOf(job: ShownJob, now: number): Option<ShownJob> {
  const { glyph, id, words, time } = rowOf(job, now)
  return { title: `${glyph} ${id}`, value: job, description: words, footer: time, category: job.owner }
}

type Act = () => Promise<void>

function actsFor(terminal: Terminal, job: ShownJob): Option<Act>[] {
  const { jobs, open, toast } = terminal
  const [ask] = job.asks ?? []
  return [
    ...(ask
      ? [{ title: "Answer", description: ask.text, value: async () => void (await answer(terminal, job)) }]
      : []),
    ...(job.session === "" ? [] : [{ title: "Open its session", value: async () => open(job.session) }]),
    {
      title: hasEnded(job) ? "Show prompt and result" : "Show prompt and what it has written",
      value: async () => {
        const { prompt, text } = await jobs.read(job)
        await terminal.show({ title: job.id, message: `${prompt}\n\n${text || "(it has written nothing)"}` })
      },
    },
    {
      title: hasEnded(job) ? "Send a follow-up" : "Send a message",
      value: async () => {
        const message = await terminal.prompt({ title: `To ${job.id}`, placeholder: "What it is to do" })
        if (message === undefined || message.trim() === "") return
        await jobs.send(job, message)
        toast({ message: `Sent to ${job.id}`, variant: "success" })
      },
    },
    ...(hasEnded(job)
      ? []
      : [
          {
            title: "Cancel",
            value: async () => {
              const message = "What it has written is kept. The jobs that it started end with it."
              if (await terminal.confirm({ title: `Cancel ${job.id}?`, message })) await jobs.cancel(job)
            },
          },
        ]),
  ]
}
