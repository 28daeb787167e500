import type { Part } from "@opencode-ai/sdk/v2"
import type { ChangedFile } from "../../../shown/files.ts"
import type { Changes } from "../changed-files.ts"
import type { MessageWithParts } from "./decode.ts"

export function decodeChanges(messages: readonly MessageWithParts[]): Changes {
  const parts = messages.flatMap((message) => message.parts)
  return {
    calls: parts.flatMap((part) =>
      part.type === "tool" && part.state.status === "completed"
        ? [
            {
              tool: part.tool,
              input: part.state.input,
              metadata: part.state.metadata,
              isNew: part.state.metadata.exists === false,
            },
          ]
        : [],
    ),
    snapshots: turnsOf(messages).flatMap(snapshotsOf),
    hasSnapshots: parts.some((part) => part.type === "step-start" && part.snapshot !== undefined),
    // Here it goes on before a summary as well.
    isSummarized: false,
  }
}

type Turn = { diffs: ChangedFile[]; parts: Part[] }

/** Each with what opencode has told of it as a whole, which it does once it is over. */
function turnsOf(messages: readonly MessageWithParts[]): Turn[] {
  const turns: Turn[] = []
  for (const { info, parts } of messages) {
    if (info.role === "assistant") turns.at(-1)?.parts.push(...parts)
    else turns.push({ diffs: (info.summary?.diffs ?? []).flatMap(decodeDiff), parts: [] })
  }
  return turns
}

function snapshotsOf({ diffs, parts }: Turn): ChangedFile[] {
  if (diffs.length > 0) return diffs
  const paths = parts.flatMap((part) => (part.type === "patch" ? part.files : []))
  return [...new Set(paths)].map((path) => ({ path }))
}

type Diff = { file?: string; patch?: string; additions: number; deletions: number }

const decodeDiff = ({ file, patch, additions, deletions }: Diff): ChangedFile[] =>
  file === undefined ? [] : [{ path: file, diff: patch, additions, deletions }]
