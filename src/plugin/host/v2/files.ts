import * as z from "zod"
import type { Changes } from "../changed-files.ts"

const Messages = z.array(
  z.object({
    type: z.string(),
    status: z.string().optional(),
    snapshot: z.object({ files: z.array(z.string()).default([]) }).optional(),
    content: z
      .array(
        z.object({
          type: z.string(),
          name: z.string().default(""),
          state: z
            .object({
              status: z.string().optional(),
              input: z.unknown(),
              metadata: z.unknown(),
              content: z.array(z.object({ text: z.string().default("") })).default([]),
            })
            .optional(),
        }),
      )
      .default([]),
  }),
)
const Input = z.record(z.string(), z.unknown())

/** opencode 2 tells its plugins which files have changed in a step, and of edits alone how. */
export function decodeChanges(given: unknown): Changes {
  const messages = Messages.parse(given)
  const parts = messages.flatMap(({ content }) => content)
  const files = messages.flatMap(({ snapshot }) => snapshot?.files ?? [])
  return {
    calls: parts.flatMap(({ type, name: tool, state }) =>
      type === "tool" && state?.status === "completed"
        ? [
            {
              tool,
              input: Input.safeParse(state.input).data ?? {},
              metadata: state.metadata,
              isNew: state.content.some(({ text }) => text.startsWith("Created file")),
            },
          ]
        : [],
    ),
    snapshots: [...new Set(files)].map((path) => ({ path })),
    hasSnapshots: messages.some(({ snapshot }) => snapshot !== undefined),
    isSummarized: messages.some(({ type, status }) => type === "compaction" && status === "completed"),
  }
}
