import type { JobAnswer } from "../../http/api.ts"
import { errorWords, isLive } from "../model/words.ts"
import { Words } from "./words.tsx"

/** Which models were tried and why each was left, and which one has the job now. */
export function Attempts({ job }: { job: JobAnswer }) {
  const { attempts = [], model, state } = job
  const end = isLive(job) ? "has the job now" : state === "done" ? "answered" : "had the job when it ended"
  return (
    <ol class="attempts">
      {attempts.map(({ model: left, error }, index) => (
        <li key={index}>
          <strong>
            <Words text={left ?? "chosen by opencode"} />
          </strong>{" "}
          <span class="quiet">was left:</span> <Words text={errorWords(error)} /> <code>{error.kind}</code>
        </li>
      ))}
      <li>
        <strong>
          <Words text={model ?? "chosen by opencode"} />
        </strong>{" "}
        <span class="quiet">{end}</span>
      </li>
    </ol>
  )
}
