import type { Recovered } from "../worktrees/apply/recover.ts"
import { someNames } from "../worktrees/working-tree.ts"

/** What has become of an agents_apply that a crash has interrupted; nothing where none was. */
export function recoveredWords(recovered: Recovered): string | undefined {
  if (recovered.type === "nothing") return undefined
  const words = `an agents_apply that was interrupted has been ${recovered.type}`
  if (recovered.type === "finished" || recovered.changed.length === 0) return words
  return (
    `${words}, but for files that somebody has changed since, which stay as they are: ` +
    `${someNames(recovered.changed)}; see with git diff whether they are as you want them`
  )
}
