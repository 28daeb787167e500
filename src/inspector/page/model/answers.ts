import { signal } from "@preact/signals"
import type { JobView } from "../../feed/job-view.ts"
import { loadJob } from "./api.ts"
import { addressOf } from "./words.ts"

/** The first line of what done jobs have answered, by the job and its run. */
const lines = signal<ReadonlyMap<string, string>>(new Map())
const asked = new Set<string>()

const nameOf = (job: JobView) => `${addressOf(job)} ${job.run}`

/** Empty while it is not known. */
export const answerLine = (job: JobView) => lines.value.get(nameOf(job)) ?? ""

/** Reads it, once for each run: a feed of thousands of jobs has no texts. */
export async function lookForAnswers(jobs: readonly JobView[]): Promise<void> {
  for (const job of jobs) {
    const name = nameOf(job)
    if (job.state !== "done" || asked.has(name)) continue
    asked.add(name)
    const text = await loadJob(addressOf(job)).then(
      (loaded) => loaded.text,
      () => undefined,
    )
    if (text !== undefined) lines.value = new Map([...lines.value, [name, firstLine(text)]])
  }
}

/** Without the signs of Markdown at its beginning. */
const firstLine = (text: string) =>
  text
    .slice(0, 2_000)
    .split("\n")
    .map((line) => line.replace(/^[\s#>*-]+/, "").replaceAll(/\*\*|`/g, ""))
    .find((line) => line.trim() !== "")
    ?.slice(0, 200) ?? ""
