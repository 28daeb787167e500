import type { JobRecord } from "../../machines/record.ts"
import type { SealedWorktree } from "../isolation/isolation.ts"

/** A job whose work is in a worktree, all of it committed. */
export type Isolated = { record: JobRecord; worktree: SealedWorktree }

/** How many files are named at most. */
export const mostFiles = 20

export const counted = (files: number) => (files === 1 ? "1 file" : `${files} files`)
