import { useSignal } from "@preact/signals"
import { useEffect } from "preact/hooks"
import { visible } from "../../../util/visible.ts"
import type { FilesAnswer, JobAnswer } from "../../http/api.ts"
import { loadFiles } from "../model/api.ts"
import { now } from "../model/jobs.ts"
import { isLive } from "../model/words.ts"
import { Fold } from "./fold.tsx"
import { Words } from "./words.tsx"

/** How often they are read while the job runs, milliseconds. */
const pace = 10_000
/** Most lines of a diff that are drawn. */
const most = 2_000

/** What the child has changed, as far as opencode knows. */
export function Files({ address, job }: { address: string; job: JobAnswer }) {
  const answer = useSignal<FilesAnswer | undefined>(undefined)
  const problem = useSignal("")
  const turn = isLive(job) ? Math.floor(now.value / pace) : 0
  useEffect(() => {
    loadFiles(address).then(
      (loaded) => {
        answer.value = loaded
        problem.value = ""
      },
      (error: unknown) => (problem.value = error instanceof Error ? error.message : String(error)),
    )
  }, [address, job.state, job.run, turn, answer, problem])
  return (
    <>
      {problem.value !== "" && (
        <p class="problem" role="status">
          <Words text={problem.value} />
        </p>
      )}
      {answer.value && <List answer={answer.value} />}
      {!answer.value && problem.value === "" && <p class="empty">Loading …</p>}
    </>
  )
}

function List({ answer: { files, why } }: { answer: FilesAnswer }) {
  return (
    <>
      {files.length === 0 && why === undefined && <p class="empty">It has changed no files.</p>}
      {files.map((file) => (
        <OneFile key={file.path} file={file} />
      ))}
      {why !== undefined && (
        <p class="quiet">
          <Words text={why} />
        </p>
      )}
    </>
  )
}

function OneFile({
  file: { path, additions, deletions, diff, cut },
}: {
  file: FilesAnswer["files"][number]
}) {
  const name = (
    <>
      <code>
        <Words text={path} />
      </code>{" "}
      <span class="added">+{additions}</span> <span class="deleted">−{deletions}</span>
    </>
  )
  if (diff === undefined)
    return (
      <p class="file">
        {name} {cut && <span class="quiet">Its diff is too long to be shown.</span>}
      </p>
    )
  return (
    <Fold class="file" summary={name}>
      {() => <Diff diff={diff} isCut={cut === true} />}
    </Fold>
  )
}

function Diff({ diff, isCut }: { diff: string; isCut: boolean }) {
  const lines = visible(diff).split("\n")
  const start = lines.findIndex((line) => line.startsWith("@@"))
  return (
    <>
      <pre class="diff" tabIndex={0}>
        {lines.slice(0, most).map((line, index) => (
          <span key={index} class={index < start ? "hunk" : kindOf(line)}>
            {line}
            {"\n"}
          </span>
        ))}
      </pre>
      {(isCut || lines.length > most) && <p class="quiet">It goes on: this is its beginning.</p>}
    </>
  )
}

function kindOf(line: string): string {
  if (line.startsWith("@@")) return "hunk"
  if (line.startsWith("+")) return "added"
  return line.startsWith("-") ? "deleted" : ""
}
