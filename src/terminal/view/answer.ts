import type { Decision, ShownJob } from "../jobs.ts"
import type { Option, Terminal } from "../terminal.ts"

const decisions: [string, Decision][] = [
  ["Allow once", "once"],
  ["Allow always", "always"],
  ["Deny", "reject"],
]

/** Has the person answer what the job asks. Whether they did. @throws Error that says why it was not taken */
export async function answer(terminal: Terminal, job: ShownJob): Promise<boolean> {
  const [ask] = job.asks ?? []
  if (ask?.kind !== "permission") return false
  const options: Option<Decision>[] = decisions.map(([title, value]) => ({ title, value }))
  const decision = await terminal.select({ title: `${job.id}: allow ${ask.text}?`, options })
  if (decision === undefined) return false
  await terminal.jobs.answer(job, ask.id, decision)
  return true
}
