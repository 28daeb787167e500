import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { wordsOf } from "../util/error-words.ts"
import type { Recovered } from "../worktrees/apply/recover.ts"
import { worktreesCommand } from "../worktrees/command.ts"
import type { Discard } from "../worktrees/discard.ts"
import type { Holdings } from "../worktrees/holdings.ts"
import { remainsWords } from "../worktrees/removal.ts"
import { wayBack } from "../worktrees/way-back.ts"
import { counted, type Isolated, mostFiles } from "./isolated.ts"
import { refusalOf } from "./permission.ts"
import { listed, type Services, withoutText } from "./services.ts"

/**
 * Removes worktrees and their branches. Where that loses what is nowhere else, it is said first, and only the same call
 * once more does it: whoever calls confirms it, so it takes the permission that applying takes.
 */
export function discarder() {
  /** Losses that have been said. */
  const said = new Set<string>()

  return async (
    { isolation }: Services,
    isolated: readonly Isolated[],
    call: ToolCall,
    onRecovered: (recovered: Recovered) => void,
  ): Promise<ToolAnswer> => {
    const { place, signal } = call
    const removals = []
    const losing: Discard[] = []
    const losses: string[] = []
    for (const { record, worktree } of isolated) {
      const removal = await isolation.prepareDiscard(record, worktree)
      removals.push({ record, removal })
      const { base, commit } = worktree
      const work = { id: record.id, base, commit }
      const isApplied = await isolation.isApplied(place.session, work, { signal, onRecovered })
      const words = lossOf(isApplied ? { ...removal.loss, commits: 0, files: 0 } : removal.loss)
      if (words.length === 0) continue
      losing.push(removal)
      losses.push(`${record.id} (${removal.branch}, ${commit}): ${words.join(", ")}`)
    }
    const jobs = withoutText(isolated.map(({ record }) => record))
    if (losses.some((each) => !said.has(each))) {
      for (const each of losses) said.add(each)
      const lines = [
        "Nothing was discarded yet. This would be lost:",
        ...losses,
        "Repeat the same call to confirm.",
      ]
      return { title: "nothing discarded yet", output: lines.join("\n"), metadata: { jobs } }
    }
    const reason = await refusalToLose(losing, call)
    if (reason !== undefined) {
      const output = `Nothing was discarded: ${reason}. ${byHand(losing)}`
      const refused = isolated.map(({ record }) => ({ id: record.id, reason }))
      return { title: "nothing discarded", output, metadata: { jobs, refused } }
    }
    const lines: string[] = []
    const refused: { id: string; reason: string }[] = []
    for (const { record, removal } of removals) {
      try {
        const remains = await removal.remove({ signal })
        lines.push(`Discarded ${record.id}${backFrom(removal)}.${remains ? ` ${remainsWords(remains)}` : ""}`)
      } catch (error) {
        // Those before it are gone, which has to be said.
        const reason = wordsOf(error)
        refused.push({ id: record.id, reason })
        lines.push(`Not discarded: ${record.id}: ${reason}.`)
      }
    }
    const title = `${removals.length - refused.length} discarded`
    return { title, output: lines.join("\n"), metadata: { jobs, ...(refused.length > 0 && { refused }) } }
  }
}

/** Who may not edit files may not throw away what was done to them either. */
async function refusalToLose(losing: readonly Discard[], call: ToolCall): Promise<string | undefined> {
  for (const project of new Set(losing.map(({ project }) => project))) {
    const there = losing.filter((each) => each.project === project)
    const files = new Set(
      there.flatMap(({ files, loss }) => [
        ...files,
        ...loss.uncommitted,
        ...loss.repositories,
        ...loss.ignored,
      ]),
    )
    const permission = await call.askToEdit(project, [...files])
    const denied = `"${call.agent}" may not edit these files, nor throw away what was done to them`
    const reason = refusalOf(permission, { denied })
    if (reason !== undefined) return reason
  }
  return undefined
}

const byHand = (losing: readonly Discard[]) =>
  `A person can do it: ${losing.map(({ branch }) => `${worktreesCommand} --discard ${branch}`).join("; ")}`

function backFrom({ branch, loss: { commit, commits, files } }: Discard): string {
  const isEmpty = commits === 0 && files === 0
  return isEmpty || commit === undefined ? "" : `: ${wayBack(branch, commit)}`
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
