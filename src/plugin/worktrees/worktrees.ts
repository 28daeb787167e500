import { realpathSync } from "node:fs"
import { resolve } from "node:path"
import { type ApplyRequest, type Prepared, prepareApply, recoverAt } from "./apply/apply.ts"
import type { Recovered } from "./apply/recover.ts"
import { tipOf } from "./branch.ts"
import { changedNames, namesBetween, type Overlap, overlapsOf, startOf } from "./changes.ts"
import { foreignConfiguration, isForeign, originOf } from "./configuration.ts"
import { diffsOf, type FileDiff } from "./diff.ts"
import { type Discard, prepareDiscard } from "./discard.ts"
import { fileFailure } from "./errors.ts"
import { type Fate, fateOf, type Whose } from "./fate.ts"
import { findFolder, makeFolder, rootOf, worktreesFolder } from "./folder.ts"
import { type ForgottenDiscard, prepareForgotten } from "./forgotten.ts"
import { type Call, createGit, visiting } from "./git.ts"
import { thisProcess } from "./inhabitants.ts"
import { type List, listWorktrees } from "./list.ts"
import { type MadeWorktree, type MakeRequest, makeWorktree } from "./make.ts"
import { shownName } from "./names.ts"
import { type Made, type Note, readNote, writeNote } from "./note.ts"
import { type Sealed, sealWorktree } from "./seal.ts"
import { startFrom } from "./start-from.ts"
import { type IsUsed, type Tidied, tidyWorktrees } from "./tidy.ts"
import { inTurn } from "./turns.ts"
import { knownWorktree } from "./whereabouts.ts"

/**
 * Worktrees of jobs. All that reject do so with a WorktreeError. A `directory` may be any folder within a worktree, as
 * `make` has returned it.
 */
export type Worktrees = {
  make(request: MakeRequest): Promise<MadeWorktree>
  /** Whether a directory, with its real path, is in one of them, or was. */
  has(directory: string): boolean
  /**
   * Says that a job of this process goes on in a worktree, which another process may have made. Whoever tidies takes it
   * for used until the job leaves it, or this process ends.
   */
  enter(directory: string): Promise<void>
  /** Says that the job has ended which this process had in a worktree. Changes nothing where that is gone. */
  leave(directory: string): Promise<void>
  /** Has a worktree in which nobody has worked yet start from another commit. */
  startFrom(directory: string, commit: string, call?: Call & { origin?: string }): Promise<{ base: string }>
  /**
   * Rejects where a job has changed what opencode would run or obey as it loads this directory: before it is loaded.
   * @param job whose worktree it is, for people
   * @returns the commit which has that configuration as the user had it
   */
  assureConfiguration(directory: string, of: { job?: string; commit?: string }, call?: Call): Promise<string>
  /** Whether the job's branch ends with this commit. */
  endsWith(directory: string, commit: string, call?: Call): Promise<boolean>
  /** Commits all that is not committed on the job's branch. The same again changes nothing. */
  seal(directory: string, message: string, call?: Call): Promise<Sealed>
  /** The files that differ from where the job started, committed or not. */
  changedFiles(directory: string, call?: Call): Promise<string[]>
  /** What differs from there in each of them. */
  diffs(directory: string, call?: Call): Promise<FileDiff[]>
  /**
   * The files of what a job has committed that others have changed too, committed or not. One whose worktree is gone has
   * none, nor one at which git cannot look within seconds.
   */
  overlaps(
    work: { directory: string; commit: string },
    others: { job: string; directory: string }[],
    call?: Call,
  ): Promise<Overlap[]>
  /** What applying jobs to where an owner works would do, and the means to do it. */
  prepareApply(request: ApplyRequest, call?: Call): Promise<Prepared>
  /** Ends an apply that a crash has interrupted there; any other call of `prepareApply` does too. */
  recover(directory: string): Promise<Recovered>
  /** What removing a worktree of this owner would lose, and the means to do it. */
  prepareDiscard(request: { directory: string; owner: string }, call?: Call): Promise<Discard>
  /** The same for one of which git knows nothing any more, whoever owns it. */
  prepareForgotten(directory: string): Promise<ForgottenDiscard>
  /** What has become of one. */
  fate(directory: string, whose: Whose): Promise<Fate>
  /** All that there are, of all repositories. */
  list(call?: Call): Promise<List>
  /** Removes those with which nothing is lost, and which nobody uses. */
  tidy(isUsed?: IsUsed, call?: Call): Promise<Tidied>
}

export type Surroundings = {
  /** Where the worktrees are. */
  folder?: string
  /** The git to run. */
  binary?: string
  env?: NodeJS.ProcessEnv
}

export function createWorktrees({ env = process.env, ...given }: Surroundings = {}): Worktrees {
  const git = createGit(given.binary, env)
  const at = given.folder ?? worktreesFolder(env)

  async function find(directory: string, call: Call = {}, states?: Note["state"][]): Promise<Made> {
    const root = rootOf(await makeFolder(at), resolve(directory))
    return knownWorktree(git, root, { ...call, ...(states && { states }) })
  }

  return {
    has(directory) {
      try {
        return rootOf(realpathSync(at), directory) !== ""
      } catch {
        return false
      }
    },
    make: (request) => inWords(() => makeWorktree(git, at, request)),
    enter: (directory) =>
      inWords(async () => {
        const { root } = await find(directory, {}, ["made", "moving"])
        await inTurn(root, async () => {
          const { root: _, endedAt: _endedAt, ...note } = await find(root, {}, ["made", "moving"])
          await writeNote(root, { ...note, start: undefined, ...(await thisProcess()) })
        })
      }),
    leave: (directory) =>
      inWords(async () => {
        const root = rootOf(await findFolder(at), resolve(directory))
        if (!(await readNote(root))) return
        await inTurn(root, async () => {
          const note = await readNote(root)
          if (note?.pid !== process.pid || note.endedAt !== undefined) return
          await writeNote(root, { ...note, endedAt: Date.now() })
        })
      }),
    startFrom: (directory, commit, { origin, ...call } = {}) =>
      inWords(async () => {
        const root = rootOf(await makeFolder(at), resolve(directory))
        return inTurn(
          root,
          () => startFrom(git, { root, directory, commit, ...(origin && { origin }) }, call),
          call,
        )
      }),
    assureConfiguration: (directory, { job, commit }, call) =>
      inWords(async () => {
        const made = await find(directory)
        const looked = { directory: resolve(directory), ...(commit && { commit }) }
        const names = await foreignConfiguration(git, made, looked, call)
        if (names.length > 0) throw isForeign(job ?? made.job, names)
        return originOf(made)
      }),
    endsWith: (directory, commit, call) =>
      inWords(async () => {
        const { commonDir, branch } = await find(directory, call)
        return (await tipOf(git, { store: commonDir }, branch, call)) === commit
      }),
    seal: (directory, message, call) =>
      inWords(async () => {
        const { root } = await find(directory, call, ["made", "moving"])
        return inTurn(
          root,
          async () => {
            const { state, base } = await find(root, call, ["made", "moving"])
            // Its job has failed before its child was asked.
            if (state === "moving") await startFrom(git, { root, directory, commit: base }, call)
            return sealWorktree(git, await find(root, call), message, call)
          },
          call,
        )
      }),
    changedFiles: (directory, call) =>
      inWords(async () => (await changedNames(git, await find(directory, call), call)).map(shownName)),
    diffs: (directory, call) => inWords(async () => diffsOf(git, await find(directory, call), call)),
    overlaps: ({ directory, commit }, others, call) =>
      inWords(async () => {
        const limited = visiting(call ?? {})
        const made = await find(directory, call)
        const { tree } = await startOf(git, made, call)
        const files = namesBetween(git, { store: made.commonDir }, tree, commit, limited)
        const theirs = others.map(async ({ job, directory }) => {
          const changed = find(directory, call).then((made) => changedNames(git, made, limited))
          return { job, files: await changed.catch(() => []) }
        })
        return overlapsOf(await files, await Promise.all(theirs))
      }),
    prepareApply: (request, call) =>
      inWords(async () => {
        const prepared = await prepareApply(git, at, request, call)
        if (prepared.type === "refused") return prepared
        return { ...prepared, write: (call) => inWords(() => prepared.write(call)) }
      }),
    prepareDiscard: ({ directory, owner }, call) =>
      inWords(async () => {
        const root = rootOf(await makeFolder(at), resolve(directory))
        const discard = await prepareDiscard(git, { root, owner }, call)
        return { ...discard, remove: (call) => inWords(() => discard.remove(call)) }
      }),
    prepareForgotten: (directory) =>
      inWords(async () => {
        const forgotten = await prepareForgotten(git, rootOf(await makeFolder(at), resolve(directory)))
        return { ...forgotten, remove: () => inWords(() => forgotten.remove()) }
      }),
    fate: (directory, whose) =>
      inWords(async () => fateOf(rootOf(await findFolder(at), resolve(directory)), whose)),
    list: (call) => inWords(async () => listWorktrees(git, await findFolder(at), call)),
    tidy: (isUsed, call) => inWords(async () => tidyWorktrees(git, await findFolder(at), isUsed, call)),
    recover: (directory) => inWords(async () => recoverAt(await findFolder(at), directory)),
  }
}

/** What the file system refuses is told like what git refuses. */
async function inWords<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw fileFailure(error)
  }
}
