import { mkdir, realpath } from "node:fs/promises"
import { dirname } from "node:path"
import { codeOf, WorktreeError } from "../errors.ts"
import { applyFolderOf, applyFoldersFor, folderOf, makeFolder } from "../folder.ts"
import type { Call, Git } from "../git.ts"
import { withLock } from "../lock.ts"
import { shownName } from "../names.ts"
import { type Repository, repositoryAt } from "../repository.ts"
import { type Obstacle, planApply, type Reason, type Work } from "./plan.ts"
import { type Recovered, recoverApply } from "./recover.ts"
import { writePlan } from "./write.ts"

export type ApplyRequest = {
  /** Where the owner works. */
  directory: string
  /** In the order in which they are applied. */
  jobs: readonly Work[]
}

export type Refusal = {
  id: string
  reason: Reason
  files: string[]
  /** What is wrong with them and what would have to be done, in words. */
  todo: string
}

export type Prepared =
  | { type: "refused"; refusals: Refusal[] }
  | {
      type: "ready"
      /** The working tree of the owner, whose paths `files` are. */
      root: string
      /** That will be written or removed; none where the owner has it all. */
      files: string[]
      /**
       * Writes them all, or none. Nothing is committed.
       * @throws WorktreeError, `changed` where one of them has changed since
       */
      write(call?: Call): Promise<void>
    }

/** What applying these jobs would do. All or none: where one of them cannot be applied, none is. */
export async function prepareApply(
  git: Git,
  folder: string,
  { directory, jobs }: ApplyRequest,
  call: Call = {},
): Promise<Prepared> {
  await requireMergeTree(git, call)
  const { repository, ours, journal } = await placesOf(git, folder, directory, call)
  await exclusively(journal, () => recoverApply(journal))
  const plan = await planApply(git, repository, { jobs, folder: ours }, call)
  if (plan.obstacles.length > 0) return { type: "refused", refusals: plan.obstacles.map(inWords) }
  return {
    type: "ready",
    root: repository.root,
    files: plan.changes.map(({ name }) => shownName(name)),
    write: (call) =>
      exclusively(journal, async () => {
        await recoverApply(journal)
        await writePlan(git, repository, plan, { folder: journal, ours }, call)
      }),
  }
}

/**
 * Ends what a crash may have interrupted in the working tree that a directory is in. Where nothing was, this costs a look
 * and no git. A directory that is gone has nothing to end.
 */
export async function recoverAt(folder: string, directory: string): Promise<Recovered> {
  const real = await realpath(directory).catch((error) => {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  })
  if (real === undefined) return { type: "nothing" }
  for (const journal of await applyFoldersFor(folder, real)) {
    const recovered = await exclusively(journal, () => recoverApply(journal))
    if (recovered.type !== "nothing") return recovered
  }
  return { type: "nothing" }
}

type Places = { repository: Repository; ours: string; journal: string }

async function placesOf(git: Git, folder: string, directory: string, call: Call): Promise<Places> {
  const repository = await repositoryAt(git, directory, call)
  const ours = folderOf(await makeFolder(folder), repository.commonDir)
  return { repository, ours, journal: applyFolderOf(ours, repository.root) }
}

async function exclusively<T>(journal: string, act: () => Promise<T>): Promise<T> {
  await mkdir(dirname(journal), { recursive: true, mode: 0o700 })
  return withLock(`${journal}.lock`, act)
}

const todos: Record<Reason, string> = {
  conflict: "the project has changed there too: bring both together by hand, or discard the job",
  dirty: "they have changes that are not committed: commit or stash them",
  hidden:
    "git is told not to look at them: keep a copy of them, have it look again (git update-index --no-skip-worktree, or " +
    "--no-assume-unchanged) and commit or stash them",
  inTheWay: "something that git does not track is there: move it away",
  submodule: "they are repositories of their own: do this by hand",
}

const inWords = ({ id, reason, names }: Obstacle): Refusal => ({
  id,
  reason,
  files: names.map(shownName),
  todo: todos[reason],
})

const neededMinor = 38

async function requireMergeTree(git: Git, call: Call): Promise<void> {
  const { text } = await git({ directory: "/" }, ["version"], call)
  const [, major, minor] = /(\d+)\.(\d+)/.exec(text) ?? []
  if (Number(major) > 2 || (Number(major) === 2 && Number(minor) >= neededMinor)) return
  throw new WorktreeError("oldGit", `this is ${text}, which cannot try a merge`, "install git 2.38 or later")
}
