import { counted } from "../util/counted.ts"
import { beginning, oneLine } from "../util/plain.ts"
import type { Worktree } from "./record.ts"

/** Jobs that are named as having changed the same files, and files of each; what is beyond is counted. */
const mostJobs = 3
const mostFiles = 3
/** Characters of a file's name. */
const longestName = 80

type Changes = Pick<Worktree, "files" | "insertions" | "deletions">

/** `3 files, +10 −2`; nothing before what the job did is committed. */
export function changeWords({ files, insertions = 0, deletions = 0 }: Changes): string | undefined {
  if (files === undefined) return undefined
  if (files === 0) return "no files changed"
  return `${counted(files, "file")}, +${insertions} −${deletions}`
}

/** `also changed by b: x.txt`, of each other job; nothing where there is none. File names are foreign text. */
export function overlapWords({ overlaps = [] }: Pick<Worktree, "overlaps">): string | undefined {
  if (overlaps.length === 0) return undefined
  const jobs = overlaps.slice(0, mostJobs).map(({ job, files }) => `${job}: ${someOf(files)}`)
  const more = overlaps.length - jobs.length
  return `also changed by ${jobs.join("; by ")}${more > 0 ? `; by ${more} more` : ""}`
}

function someOf(files: readonly string[]): string {
  const names = files.slice(0, mostFiles).map((name) => {
    const line = oneLine(name)
    return line.length > longestName ? `${beginning(line, longestName)}…` : line
  })
  const more = files.length - names.length
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`
}

/** As git shortens it; ids of commits are told in full nowhere but to git. */
export const shortCommit = (commit: string): string => commit.slice(0, 10)
