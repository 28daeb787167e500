import type { Refusal } from "../worktrees/apply/apply.ts"
import { mostFiles } from "./isolated.ts"
import { listed } from "./services.ts"

/**
 * Why a job is not applied, and what to do about it, as part of a sentence.
 * @param branch the job's
 */
export function obstacleWords({ reason, files, others = [] }: Refusal, branch: string): string {
  const names = listed(files, mostFiles)
  const jobs = listed(others, mostFiles)
  switch (reason) {
    case "conflict":
      return `in conflict: ${names}; the project has changed there too: merge ${branch} by hand, or discard the job`
    case "conflictWithJobs":
      return (
        `in conflict with what ${jobs} changes in ${names}: apply only one of them, or apply and commit ${jobs} ` +
        `first and then merge ${branch} by hand`
      )
    case "conflictWithApplied":
      return `in conflict: ${names}, to which ${jobs} was applied before: commit that and then merge ${branch} by hand`
    case "dirty":
      return `changed here and not committed: ${names}; commit or stash that first`
    case "hidden":
      return (
        `changed here where git does not see it: ${names}; keep a copy, have git look again (git update-index ` +
        "--no-skip-worktree, or --no-assume-unchanged), then commit or stash it"
      )
    case "inTheWay":
      return `in the way: ${names}; something that git does not track is there: move it away`
    case "submodule":
      return `repositories of their own: ${names}; git merges no such thing: do it by hand`
  }
}
