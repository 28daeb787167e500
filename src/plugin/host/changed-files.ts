import { isAbsolute, relative } from "node:path"
import * as z from "zod"
import type { ChangedFile, ChangedFiles } from "../../shown/files.ts"

/** What opencode tells of changes in a session, oldest first. */
export type Changes = {
  /** The calls of tools that were completed. */
  calls: readonly CompletedCall[]
  /** Of the whole project, before and after each step: what others change meanwhile is among it. */
  snapshots: readonly ChangedFile[]
  /** Whether there are any. */
  hasSnapshots: boolean
  /** Earlier messages are not to be had any more. */
  isSummarized: boolean
}

/** `isNew`: opencode says that the file was not there before. */
type CompletedCall = { tool: string; input: Record<string, unknown>; metadata: unknown; isNew: boolean }

/** What its calls name, and what has changed beside that. */
export function changedFiles(
  { calls, snapshots, hasSnapshots, isSummarized }: Changes,
  directory: string,
): ChangedFiles {
  const place = (file: ChangedFile) => ({ ...file, path: within(directory, file.path) })
  const named = joined(calls.flatMap(filesIn).map(place))
  const seen = joined(snapshots.map(place))
  const files = [...named.values()].map((file) => {
    const whole = seen.get(file.path)
    return whole && isCounted(whole) && !isCounted(file) ? whole : file
  })
  const others = [...seen.values()].filter(({ path }) => !named.has(path))
  const whys = [
    ...(isSummarized
      ? [
          "opencode has replaced the beginning of its conversation with a summary: what it changed before is not known.",
        ]
      : []),
    ...(hasSnapshots || calls.length === 0
      ? []
      : ["opencode keeps no snapshots of this project: what commands of its shell changed is not known."]),
  ]
  return {
    files: [...files, ...others.map((file) => ({ ...file, isMeanwhile: true as const }))],
    ...(whys.length > 0 && { why: whys.join(" ") }),
  }
}

const isCounted = ({ additions, deletions }: ChangedFile) =>
  additions !== undefined && deletions !== undefined

/** One for each path. Where the lines of one change are not known, those of all are not. */
function joined(files: readonly ChangedFile[]): Map<string, ChangedFile> {
  const byPath = new Map<string, ChangedFile>()
  for (const file of files) {
    const before = byPath.get(file.path)
    byPath.set(file.path, before ? both(before, file) : file)
  }
  return byPath
}

function both(one: ChangedFile, other: ChangedFile): ChangedFile {
  const sum = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined ? undefined : a + b
  const diffs = [one.diff, other.diff].filter((diff) => diff !== undefined)
  return {
    path: one.path,
    additions: sum(one.additions, other.additions),
    deletions: sum(one.deletions, other.deletions),
    diff: diffs.length > 0 ? diffs.join("\n") : undefined,
  }
}

function within(directory: string, path: string): string {
  const inside = isAbsolute(path) ? relative(directory, path) : path
  return inside === "" || inside.startsWith("..") ? path : inside
}

const Change = z
  .object({
    file: z.string().optional(),
    relativePath: z.string().optional(),
    filePath: z.string().optional(),
    patch: z.string().optional(),
    additions: z.number().optional(),
    deletions: z.number().optional(),
  })
  .transform(({ file, relativePath, filePath, patch: diff, ...counts }): ChangedFile[] => {
    const path = file ?? filePath ?? relativePath
    return path === undefined ? [] : [{ path, diff, ...counts }]
  })

/** As `edit`, `patch` and the like say what they have done. */
const Done = z.union([
  z.object({ files: z.array(Change).min(1) }).transform(({ files }) => files.flat()),
  z.object({ filediff: Change }).transform(({ filediff }) => filediff),
])

const Written = z.object({
  path: z.string().optional(),
  filePath: z.string().optional(),
  content: z.string(),
})

/** The tool `read` names files as well. */
const changing = /^(write|edit|multiedit|patch|apply_patch)$/

function filesIn({ tool, input, metadata, isNew }: CompletedCall): ChangedFile[] {
  if (!changing.test(tool)) return []
  const done = Done.safeParse(metadata)
  if (done.success) return done.data
  const written = Written.safeParse(input)
  if (!written.success) return []
  const { path = written.data.filePath, content } = written.data
  if (path === undefined) return []
  if (!isNew) return [{ path }]
  const lines = content.replace(/\n$/, "").split("\n")
  const diff = `--- /dev/null\n+++ ${path}\n@@ -0,0 +1,${lines.length} @@\n${lines.map((line) => `+${line}\n`).join("")}`
  return [{ path, additions: lines.length, deletions: 0, diff }]
}
