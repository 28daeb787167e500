import { visible } from "../../../util/visible.ts"
import type { JobAnswer } from "../../http/api.ts"
import { checkedWords, checkingWords } from "../model/words.ts"
import { Fold } from "./fold.tsx"
import { Words } from "./words.tsx"

/** What has to pass before the job is done, and how that went. */
export function Check({ job }: { job: JobAnswer }) {
  const { check } = job
  if (!check) return null
  const { command, output } = check
  return (
    <>
      <p>
        <code>
          <Words text={command} />
        </code>{" "}
        {checkedWords(check)}
      </p>
      {job.phase === "checking" && (
        <p role="status">
          <Words text={checkingWords(check)} />
        </p>
      )}
      {output !== "" && (
        <Fold class="file" summary="The end of what it wrote">
          {() => (
            <pre class="diff" tabIndex={0}>
              {visible(output)}
            </pre>
          )}
        </Fold>
      )}
    </>
  )
}
