import { signal } from "@preact/signals"
import type { JobView } from "../../feed/job-view.ts"
import { loadJob } from "./api.ts"
import { addressOf, doing } from "./words.ts"

/** The first line of what done jobs have answered, by the job and its run. */
const lines = signal<ReadonlyMap<string, string>>(new Map())
const asked = new Set<string>()

const nameOf = (job: JobView) => `${addressOf(job)} ${job.run}`

/** A job in a line: what it does, why it failed, or what it has answered; that is empty while it is not known. */
export const noteOf = (job: JobView, now: number) =>
  job.state === "done" ? (lines.value.get(nameOf(job)) ?? "") : doing(job, now)

/** Those that are being read: one at a time, the page has other things to ask for. */
let reading = Promise.resolve()

/** Reads an answer's line, once for each run: a feed of thousands of jobs has no texts. */
export function lookForAnswer(job: JobView): void {
  const name = nameOf(job)
  if (job.state !== "done" || asked.has(name)) return
  asked.add(name)
  reading = reading.then(async () => {
    const text = await loadJob(addressOf(job)).then(
      ({ structured, text }) => (structured === undefined ? text : JSON.stringify(structured)),
      () => undefined,
    )
    if (text !== undefined) lines.value = new Map([...lines.value, [name, firstLine(text)]])
  })
}

/** Without the signs of Markdown at its beginning. */
const firstLine = (text: string) =>
  text
    .slice(0, 2_000)
    .split("\n")
    .map((line) => line.replace(/^[\s#>*-]+/, "").replaceAll(/\*\*|`/g, ""))
    .find((line) => line.trim() !== "")
    ?.slice(0, 200) ?? ""
