import type { JobInput } from "../../machines/events.ts"
import type { JobError } from "../../machines/record.ts"
import type { ShownMessage } from "../../shown/conversation.ts"
import { excerpt } from "../records/words.ts"

/** opencode's own tools, of both generations, that change nothing, and those of this product that do not. */
const readOnly = new Set([
  "read",
  "grep",
  "glob",
  "list",
  "webfetch",
  "websearch",
  "codesearch",
  "lsp",
  "skill",
  "question",
  // Notes of the session alone.
  "todoread",
  "todowrite",
  // A call that opencode could not read.
  "invalid",
  "agents_status",
  "agents_wait",
])

/** The tools that a child has called and that may have changed something, each once. */
export function changingTools(conversation: readonly ShownMessage[]): string[] {
  const calls = conversation.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.type === "tool" && !readOnly.has(part.tool) ? [part.tool] : [])),
  )
  // What a summary has replaced nobody can tell any more.
  const isSummarized = conversation.some(({ origin }) => origin === "summary")
  return [...new Set([...calls, ...(isSummarized ? ["what opencode has summarized since"] : [])])]
}

/** What the next model is asked, in a session that knows nothing. */
export function promptForNext({ prompt, model }: JobInput, told: readonly string[], error: JobError): string {
  const [who, reason] = [model ?? "another model", excerpt(error.message)]
  const why = `(opencode-troupe: ${who} was asked this before you and could not go on: ${reason}. Start afresh.)`
  return [prompt, ...told, why].join("\n\n")
}
