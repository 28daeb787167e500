import { existsSync } from "node:fs"
import type { JobInput } from "../../machines/events.ts"
import type { JobRecord, Worktree } from "../../machines/record.ts"
import type { Host } from "../host/port.ts"
import type { ApplyRequest, Prepared } from "../worktrees/apply/apply.ts"
import type { Work } from "../worktrees/apply/plan.ts"
import type { Recovered } from "../worktrees/apply/recover.ts"
import type { FileDiff } from "../worktrees/diff.ts"
import type { Discard } from "../worktrees/discard.ts"
import { WorktreeError } from "../worktrees/errors.ts"
import type { Fate } from "../worktrees/fate.ts"
import { isClean } from "../worktrees/holdings.ts"
import { createWorktrees, type Worktrees } from "../worktrees/worktrees.ts"

/** A worktree whose job's work is all committed on its branch. */
export type SealedWorktree = Worktree & { commit: string }

type ApplyCall = Pick<ApplyRequest, "onRecovered"> & { signal?: AbortSignal }

type Job = Pick<JobRecord, "owner" | "id" | "description" | "worktree">
type NewJob = Pick<JobInput, "owner" | "id"> & Partial<Pick<JobInput, "description">>
type EndedJob = Job & Pick<JobRecord, "state" | "check" | "error" | "startedAt">

export type IsolationOptions = {
  host: Pick<Host, "session" | "hasLoaded">
  records: { of(owner: string): readonly EndedJob[] }
  /** Default: those of this user, in the folder where they are kept. */
  worktrees?: Worktrees | undefined
}

/** The worktrees of an opencode's jobs. All that reject do so with an error that says what was wrong and what to do. */
export class Isolation {
  readonly #host: IsolationOptions["host"]
  readonly #records: IsolationOptions["records"]
  readonly #worktrees: Worktrees
  /** By directory: ends that are being noted, none of which may be noted after the job has gone on. */
  readonly #leaving = new Map<string, Promise<void>>()

  constructor({ host, records, worktrees = createWorktrees() }: IsolationOptions) {
    this.#host = host
    this.#records = records
    this.#worktrees = worktrees
  }

  /** A worktree for a job, with all that its owner has. */
  async make({ owner, id, description }: NewJob, signal: AbortSignal): Promise<Worktree> {
    const directory = await this.#directoryOf(owner)
    const { branch, base, ...made } = await this.#worktrees.make({
      directory,
      owner,
      job: id,
      description,
      signal,
    })
    return { directory: made.directory, branch, base }
  }

  /** Removes a worktree whose job could not begin after all. One in which somebody has worked stays. */
  async giveUp({ owner }: Pick<JobInput, "owner">, { directory }: Worktree): Promise<void> {
    const { loss, remove } = await this.#worktrees.prepareDiscard({ directory, owner })
    if (isClean(loss)) await remove()
  }

  /**
   * Before a child is asked: nobody removes its worktree meanwhile. Has its job start from where another one has ended,
   * if that is what it is to start from and nobody has worked in its worktree yet.
   */
  async enter(
    job: Pick<JobInput, "owner" | "isolation" | "worktree">,
    signal: AbortSignal,
  ): Promise<Worktree> {
    const { worktree, isolation, owner } = job
    if (!worktree) throw new Error("it has no worktree of its own: start it as a new job")
    // Its last run may have ended just now.
    await this.#leaving.get(worktree.directory)
    // An earlier process may have made it, which nobody would take for somebody in it.
    await this.#worktrees.enter(worktree.directory)
    await this.assureLoadable(worktree, signal)
    if (typeof isolation !== "object") return worktree
    const other = this.#records.of(owner).find(({ id }) => id === isolation.from)
    if (!other?.worktree)
      throw new Error(`${isolation.from} has no worktree to start from: start it with isolation`)
    const { commit, origin } = await this.#startOf({ ...other, worktree: other.worktree }, signal)
    const started = await this.#worktrees.startFrom(worktree.directory, commit, { signal, origin })
    return { ...worktree, ...started }
  }

  /** Where a job starts that is to start from another one's end. */
  async #startOf(
    other: EndedJob & { worktree: Worktree },
    signal: AbortSignal,
  ): Promise<{ commit: string; origin: string }> {
    try {
      const { commit, directory } = await this.endOf(other, signal)
      // opencode may see these files as soon as they are there.
      const origin = await this.#worktrees.assureConfiguration(
        directory,
        { job: other.id, commit },
        { signal },
      )
      return { commit, origin }
    } catch (error) {
      const { base, commit } = other.worktree
      const isWhereItStarted = commit === undefined ? other.startedAt === undefined : commit === base
      // It may have been tidied for holding nothing. What no job has changed there was the user's, as it was assured to be.
      if (isWhereItStarted && (await this.fateOf(other)) === "removed") return { commit: base, origin: base }
      throw error
    }
  }

  /**
   * Before opencode loads a child's directory, which it has not in this process: it would run what a job has put there.
   * @throws WorktreeError that names the files
   */
  async assureLoadable({ directory }: Worktree, signal?: AbortSignal): Promise<void> {
    if (!this.#host.hasLoaded(directory)) await this.#worktrees.assureConfiguration(directory, {}, { signal })
  }

  /** After a job has ended: its worktree may be tidied if it holds nothing, even while this opencode runs. */
  leave({ directory }: Pick<Worktree, "directory">): Promise<void> {
    const noted = this.#worktrees.leave(directory).finally(() => this.#leaving.delete(directory))
    // Whoever enters it goes on in any case.
    this.#leaving.set(
      directory,
      noted.catch(() => {}),
    )
    return noted
  }

  /**
   * Where a job has ended, with all that it has left uncommitted. What was checked last is its end as it was checked:
   * what the check itself has written since is no work of the job.
   */
  async endOf(job: EndedJob, signal?: AbortSignal): Promise<SealedWorktree> {
    const { worktree, check, state, error } = job
    const isChecked = check !== undefined && check.rounds > 0 && (state === "done" || error?.kind === "check")
    if (!isChecked || worktree?.commit === undefined) return this.seal(job, signal)
    // Somebody may have gone on by hand.
    const { directory, commit } = worktree
    const isThere = await this.#worktrees.endsWith(directory, commit, { signal })
    return isThere ? { ...worktree, commit } : this.seal(job, signal)
  }

  /** Commits what a job has left uncommitted in its worktree, and says what it has changed. Harmless when it is done. */
  async seal(job: Job, signal?: AbortSignal): Promise<SealedWorktree> {
    const { id, worktree } = job
    if (!worktree) throw new Error("it has no worktree of its own")
    const message = `${job.description}\n\nWork of job ${id}, committed by opencode-troupe.`
    const { directory, branch, base } = worktree
    const { commit, files, insertions, deletions } = await this.#worktrees.seal(directory, message, {
      signal,
    })
    return this.withOverlaps(job, { directory, branch, base, commit, files, insertions, deletions }, signal)
  }

  /** What was sealed, with the files that other jobs have changed by now. */
  async withOverlaps(
    { id, owner }: Pick<Job, "owner" | "id">,
    { overlaps: _earlier, ...sealed }: SealedWorktree,
    signal?: AbortSignal,
  ): Promise<SealedWorktree> {
    const others = this.#records.of(owner).flatMap((other) => {
      const place = other.id === id ? undefined : other.worktree?.directory
      return place === undefined ? [] : [{ job: other.id, directory: place }]
    })
    if (sealed.files === 0 || others.length === 0) return sealed
    const overlaps = await this.#worktrees.overlaps(sealed, others, { signal })
    return { ...sealed, ...(overlaps.length > 0 && { overlaps }) }
  }

  /** What a job has changed so far, committed or not. Nothing where its worktree and its branch have been removed. */
  async diffs({ directory }: Worktree): Promise<FileDiff[] | undefined> {
    try {
      return await this.#worktrees.diffs(directory)
    } catch (error) {
      if (error instanceof WorktreeError && error.kind === "notOurs") return undefined
      throw error
    }
  }

  /** Whether nobody has removed it. */
  isThere({ directory }: Worktree): boolean {
    return existsSync(directory)
  }

  /** What has become of its worktree; nothing for a job without one, or where that cannot be told. */
  async fateOf({
    owner,
    id,
    worktree,
  }: Pick<JobRecord, "owner" | "id" | "worktree">): Promise<Fate | undefined> {
    if (!worktree) return undefined
    const { directory, commit } = worktree
    return this.#worktrees.fate(directory, { owner, job: id, commit }).catch(() => undefined)
  }

  /** What applying jobs to their owner's files would do. */
  async prepareApply(
    owner: string,
    jobs: readonly Work[],
    { signal, onRecovered }: ApplyCall = {},
  ): Promise<Prepared> {
    const directory = await this.#directoryOf(owner)
    return this.#worktrees.prepareApply({ directory, owner, jobs, onRecovered }, { signal })
  }

  /** Whether its owner's files have all that a job has changed. Where git cannot tell, they have not. */
  async isApplied(owner: string, work: Work, call?: ApplyCall): Promise<boolean> {
    try {
      const prepared = await this.prepareApply(owner, [work], call)
      return prepared.type === "ready" && prepared.files.length === 0
    } catch (error) {
      if (error instanceof WorktreeError && error.kind !== "interrupted") return false
      throw error
    }
  }

  prepareDiscard({ owner }: Pick<JobRecord, "owner">, { directory }: Worktree): Promise<Discard> {
    return this.#worktrees.prepareDiscard({ directory, owner })
  }

  /** Whether a directory is none of a person's but that of a child. */
  isChilds(directory: string): boolean {
    return this.#worktrees.has(directory)
  }

  /** Ends an apply to the files of this directory that a crash has interrupted. */
  recover(directory: string): Promise<Recovered> {
    return this.#worktrees.recover(directory)
  }

  /** Removes worktrees that hold nothing and whose owner is gone. */
  async tidy(): Promise<void> {
    await this.#worktrees.tidy(async ({ owner, maker }) => {
      if (maker !== undefined) return true
      const session = await this.#host.session(owner)
      return session.ok || session.error.status !== 404
    })
  }

  async #directoryOf(owner: string): Promise<string> {
    const session = await this.#host.session(owner)
    if (!session.ok) throw new Error(`opencode does not say where its owner works: ${session.error.message}`)
    return session.value.directory
  }
}
