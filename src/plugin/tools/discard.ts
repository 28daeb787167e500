import type { ToolAnswer, ToolCall } from "../host/port.ts"
import type { Holdings } from "../worktrees/holdings.ts"
import { counted, type Isolated, mostFiles } from "./isolated.ts"
import { listed, type Services, withoutText } from "./services.ts"

/**
 * Removes worktrees and their branches. Where that loses what is nowhere else, it is said first, and only the same call
 * once more does it.
 */
export function discarder() {
  /** Losses that have been said. */
  const said = new Set<string>()

  return async (
    { isolation }: Services,
    isolated: readonly Isolated[],
    { place: { session: owner }, signal }: ToolCall,
  ): Promise<ToolAnswer> => {
    const removals = []
    const losses: string[] = []
    for (const { record, worktree } of isolated) {
      const removal = await isolation.prepareDiscard(record, worktree)
      removals.push({ record, removal })
      const { base, commit } = worktree
      const isApplied = await isolation.isApplied(owner, { id: record.id, base, commit }, signal)
      const words = lossOf(isApplied ? { ...removal.loss, commits: 0, files: 0 } : removal.loss)
      if (words.length > 0) losses.push(`${record.id} (${removal.branch}, ${commit}): ${words.join(", ")}`)
    }
    const jobs = withoutText(isolated.map(({ record }) => record))
    if (losses.some((each) => !said.has(each))) {
      for (const each of losses) said.add(each)
      const lines = [
        "Nothing was discarded yet. This would be lost:",
        ...losses,
        "The same call once more does it.",
      ]
      return { title: "nothing discarded yet", output: lines.join("\n"), metadata: { jobs } }
    }
    const lines: string[] = []
    for (const { record, removal } of removals) {
      await removal.remove({ signal })
      const { commit } = removal.loss
      lines.push(
        `Discarded ${record.id}.${commit === undefined ? "" : ` For some weeks this brings it back: git branch ${removal.branch} ${commit}`}`,
      )
    }
    return { title: `${removals.length} discarded`, output: lines.join("\n"), metadata: { jobs } }
  }
}

function lossOf({ commits, files, uncommitted, repositories, ignored }: Holdings): string[] {
  return [
    ...(commits > 0 || files > 0
      ? [`${commits === 1 ? "1 commit" : `${commits} commits`}, ${counted(files)} changed`]
      : []),
    ...(uncommitted.length > 0 ? [`in no commit: ${listed(uncommitted, mostFiles)}`] : []),
    ...(repositories.length > 0 ? [`repositories made in it: ${listed(repositories, mostFiles)}`] : []),
    ...(ignored.length > 0 ? [`ignored by git: ${listed(ignored, mostFiles)}`] : []),
  ]
}
