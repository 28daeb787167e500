/** git throws away what no branch leads to once it is old enough. */
export const whileKept = "as long as git keeps them, by default two weeks from when they were made"

/** How the commits of a worktree come back that was removed with its branch. */
export const wayBack = (branch: string, commit: string): string =>
  `git branch ${branch} ${commit} brings its commits back ${whileKept}`
