import type { JobAnswer } from "../../http/api.ts"
import { errorWords, isLive } from "../model/words.ts"
import { Words } from "./words.tsx"

/** Which models were tried and why each was left, and which one has the job now. */
export function Attempts({ job }: { job: JobAnswer }) {
  const { attempts = [], model, state } = job
  // The session is still that of the one before.
  const isNext = !isLive(job) && state !== "done" && attempts.at(-1)?.session === undefined
  const had = state === "done" ? "answered" : "had the job when it ended"
  const end = isLive(job) ? "has the job now" : isNext ? "is asked by a follow-up" : had
  return (
    <ol class="attempts">
      {attempts.map(({ model: left, error, session }, index) => (
        <li key={index}>
          <strong>
            <Words text={left ?? "chosen by opencode"} />
          </strong>{" "}
          <span class="quiet">was left:</span> <Words text={errorWords(error)} /> <code>{error.kind}</code>
          {session !== undefined && (
            <p class="quiet">
              What it had done is in <code>opencode --session {session}</code>
            </p>
          )}
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
