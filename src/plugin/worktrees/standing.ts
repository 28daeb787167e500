import { WorktreeError } from "./errors.ts"
import { isThere, notOurs } from "./folder.ts"
import type { Call, Git } from "./git.ts"
import { namesIn } from "./names.ts"
import type { Made, Note } from "./note.ts"

/** git itself must know this folder as a worktree, and nobody else may stand on its branch. */
export async function requireOwn(
  git: Git,
  { commonDir, root, branch }: Made,
  call: Call = {},
): Promise<void> {
  const worktrees = await worktreesOf(git, commonDir, call)
  const isKnown = worktrees.some(([first]) => first === recordOf(root))
  if (!isKnown && (await isThere(root))) throw notOurs(root)
  requireOffBranch(worktrees, root, branch)
}

/** Nobody else may stand on its branch, whatever is left of the worktree itself. */
export async function requireNobodyElse(git: Git, { commonDir, branch }: Note, root: string): Promise<void> {
  requireOffBranch(await worktreesOf(git, commonDir), root, branch)
}

function requireOffBranch(worktrees: readonly string[][], root: string, branch: string): void {
  const other = worktrees.find(
    ([first, ...rest]) => first !== recordOf(root) && rest.includes(`branch refs/heads/${branch}`),
  )
  if (other) throw isElsewhere(branch, Buffer.from(other[0] ?? "", "latin1").toString("utf8"))
}

const recordOf = (root: string) => Buffer.from(`worktree ${root}`).toString("latin1")

/** All that git knows of those of a repository: for each a list of lines. */
async function worktreesOf(git: Git, commonDir: string, call: Call = {}): Promise<string[][]> {
  const { stdout } = await git({ store: commonDir }, ["worktree", "list", "--porcelain", "-z"], call)
  return recordsIn(namesIn(stdout))
}

/** The first line of each tells where it is, the others what else is known of it; an empty one ends it. */
function recordsIn(lines: readonly string[]): string[][] {
  const records: string[][] = [[]]
  for (const line of lines) {
    if (line === "") records.push([])
    else records.at(-1)?.push(line)
  }
  return records
}

const isElsewhere = (branch: string, worktree: string) =>
  new WorktreeError(
    "locked",
    `the branch ${branch} is checked out elsewhere (${worktree})`,
    "switch to another branch there",
  )
