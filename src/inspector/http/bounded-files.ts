import type { ChangedFile, ChangedFiles } from "../../shown/files.ts"
import { beginning } from "../../util/plain.ts"
import type { FilesAnswer } from "./api.ts"

const mostFiles = 500
/** All in characters. */
const longestDiff = 64_000
const longestPath = 1_000
const mostOfAnswer = 1024 * 1024

export function boundedFiles({ files, why }: ChangedFiles): FilesAnswer {
  let left = mostOfAnswer
  const kept = files.slice(0, mostFiles).map((file) => {
    const bounded = boundedFile(file, Math.min(longestDiff, left))
    left -= bounded.diff?.length ?? 0
    return bounded
  })
  const more = files.length - kept.length
  const whys = [why, more > 0 ? `${more} more files are left out.` : undefined].filter(
    (each) => each !== undefined,
  )
  return { files: kept, ...(whys.length > 0 && { why: whys.join(" ") }) }
}

function boundedFile({ path, diff, additions, deletions, isMeanwhile, isCut }: ChangedFile, most: number) {
  const kept = diff && beginning(diff, most)
  return {
    path: beginning(path, longestPath),
    ...(additions !== undefined && { additions }),
    ...(deletions !== undefined && { deletions }),
    ...(kept && { diff: kept }),
    ...(isMeanwhile && { isMeanwhile }),
    ...((isCut || kept !== diff) && { cut: true as const }),
  }
}
