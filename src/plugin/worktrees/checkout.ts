import type { Call, Git, Where } from "./git.ts"

/** Processes that write the files of a worktree. */
const workers = 8

/**
 * git writes one file after another unless it is told otherwise, which takes several times as long where there are many.
 * What the user has set, for a disk that is slower that way, holds.
 * @see https://git-scm.com/docs/git-config#Documentation/git-config.txt-checkoutworkers
 */
export async function checkoutSettings(git: Git, where: Where, call: Call = {}): Promise<string[]> {
  const { code } = await git(where, ["config", "--get", "checkout.workers"], { ...call, codes: [0, 1] })
  return code === 0 ? [] : [`checkout.workers=${workers}`]
}
