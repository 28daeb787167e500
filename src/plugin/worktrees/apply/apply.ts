import { mkdir, realpath } from "node:fs/promises"
import { dirname } from "node:path"
import { codeOf, WorktreeError } from "../errors.ts"
import { applyFolderOf, applyFoldersFor, findFolder, folderOf, makeFolder } from "../folder.ts"
import type { Call, Git } from "../git.ts"
import { withLock } from "../lock.ts"
import { shownName } from "../names.ts"
import { type Repository, repositoryAt } from "../repository.ts"
import { readLedger } from "./ledger.ts"
import { type Change, type Obstacle, planApply, type Reason, type Work } from "./plan.ts"
import { type Recovered, recoverApply } from "./recover.ts"
import { writePlan } from "./write.ts"

export type ApplyRequest = {
  /** Where the owner works. */
  directory: string
  owner: string
  /** In the order in which they are applied. */
  jobs: readonly Work[]
  /** Told what has become of another apply there that a crash had interrupted: it is ended first. */
  onRecovered?: ((recovered: Recovered) => void) | undefined
}

export type Refusal = {
  id: string
  reason: Reason
  files: string[]
  /** The jobs that it is in conflict with. */
  others?: string[]
}

export type Prepared =
  | { type: "refused"; refusals: Refusal[] }
  | {
      type: "ready"
      /** The working tree of the owner, whose paths `files` are. */
      root: string
      /** That will be written or removed; none where the owner has it all. */
      files: string[]
      /** The same as git counts and shows them: a renamed file is one. */
      changes: string[]
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
  { directory, owner, jobs, onRecovered = () => {} }: ApplyRequest,
  call: Call = {},
): Promise<Prepared> {
  await requireMergeTree(git, call)
  const { repository, ours, journal } = await placesOf(git, folder, directory, call)
  const recover = async () => onRecovered(await recoverApply(journal))
  await exclusively(journal, recover)
  const ledger = await readLedger(journal)
  const plan = await planApply(git, repository, { owner, jobs, folder: ours, ledger }, call)
  if (plan.obstacles.length > 0) return { type: "refused", refusals: plan.obstacles.map(refusalFor) }
  return {
    type: "ready",
    root: repository.root,
    files: plan.changes.map(({ name }) => shownName(name)),
    changes: shownChanges(plan.changes),
    write: (call) =>
      exclusively(journal, async () => {
        await recover()
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
  const repository = await repositoryAt(git, { directory, folder: await findFolder(folder) }, call)
  const ours = folderOf(await makeFolder(folder), repository.commonDir)
  return { repository, ours, journal: applyFolderOf(ours, repository.root) }
}

async function exclusively<T>(journal: string, act: () => Promise<T>): Promise<T> {
  await mkdir(dirname(journal), { recursive: true, mode: 0o700 })
  return withLock(`${journal}.lock`, act)
}

const refusalFor = ({ names, ...obstacle }: Obstacle): Refusal => ({
  ...obstacle,
  files: names.map(shownName),
})

function shownChanges(changes: readonly Change[]): string[] {
  const former = new Set(changes.map(({ from }) => from))
  return changes
    .filter(({ name, isRemoved }) => !(isRemoved && former.has(name)))
    .map(({ name, from }) =>
      from === undefined ? shownName(name) : `${shownName(from)} → ${shownName(name)}`,
    )
}

const neededMinor = 38

async function requireMergeTree(git: Git, call: Call): Promise<void> {
  const { text } = await git({ directory: "/" }, ["version"], call)
  const [, major, minor] = /(\d+)\.(\d+)/.exec(text) ?? []
  if (Number(major) > 2 || (Number(major) === 2 && Number(minor) >= neededMinor)) return
  throw new WorktreeError("oldGit", `this is ${text}, which cannot try a merge`, "install git 2.38 or later")
}
