import * as z from "zod"
import { WorktreeError } from "../errors.ts"
import { type Call, fileLimitMs, type Git, type Where } from "../git.ts"
import { type Name, namesIn } from "../names.ts"
import { readWhole, writeWhole } from "../whole-file.ts"

/** How a file differs from HEAD, as git lists it: with the modes and ids of both contents, so that no other is like it. */
type Difference = string
export type Differences = ReadonlyMap<Name, Difference>

const Job = z.object({ owner: z.string(), id: z.string() })

/**
 * What applies have written into a working tree. None of it is committed, so nothing else tells it from what a person has
 * changed there.
 */
export const Ledger = z.object({
  /** The files as the last apply to each has left them, and the job that changed it. */
  left: z.array(z.object({ name: z.string(), difference: z.string(), job: Job })),
  /** The jobs that were applied, the latest last. */
  jobs: z.array(Job.extend({ commit: z.string() })),
})
export type Ledger = z.infer<typeof Ledger>

type AppliedJob = Ledger["jobs"][number]

/** Jobs that are remembered. */
const mostJobs = 1_000

/** Beside the folder of the working tree's journal. */
const fileOf = (journal: string) => `${journal}.json`

/**
 * One that cannot be read tells nothing: what is in the files then counts as changed by a person.
 * @throws WorktreeError where none could be written either
 */
export async function readLedger(journal: string): Promise<Ledger> {
  const found: unknown = await readWhole(fileOf(journal))
    .then((text = "") => JSON.parse(text))
    .catch((error) => {
      if (error instanceof WorktreeError) throw error
      return undefined
    })
  return Ledger.safeParse(found).data ?? { left: [], jobs: [] }
}

export const writeLedger = (journal: string, ledger: Ledger): Promise<void> =>
  writeWhole(fileOf(journal), JSON.stringify(ledger))

/** Of the files that differ from HEAD, those that are exactly as an apply of this owner has left them, each with its job. */
export function leftIn({ left }: Ledger, owner: string, differences: Differences): Map<Name, string> {
  const own = left.filter(
    ({ name, difference, job }) => job.owner === owner && differences.get(name) === difference,
  )
  return new Map(own.map(({ name, job }) => [name, job.id]))
}

export const wasApplied = ({ jobs }: Ledger, { owner, id, commit }: AppliedJob): boolean =>
  jobs.some((each) => each.owner === owner && each.id === id && each.commit === commit)

export type Apply = {
  owner: string
  jobs: readonly { id: string; commit: string }[]
  /** The files that are written or removed, each with the last job that changes it. */
  changedBy: ReadonlyMap<Name, string>
  /** How the working tree differs from HEAD without it and with it. */
  before: Differences
  after: Differences
}

export function withApply(ledger: Ledger, { owner, jobs, changedBy, before, after }: Apply): Ledger {
  // What was committed or changed since is no longer as it was left.
  const stillLeft = ledger.left.filter(
    ({ name, difference }) => before.get(name) === difference && !changedBy.has(name),
  )
  const left = [...changedBy].flatMap(([name, id]) => {
    const difference = after.get(name)
    return difference === undefined ? [] : [{ name, difference, job: { owner, id } }]
  })
  const others = ledger.jobs.filter((each) => each.owner !== owner || jobs.every(({ id }) => id !== each.id))
  const applied = jobs.map(({ id, commit }) => ({ owner, id, commit }))
  return { left: [...stillLeft, ...left], jobs: [...others, ...applied].slice(-mostJobs) }
}

export async function differencesBetween(
  git: Git,
  where: Where,
  from: string,
  to: string,
  call: Call = {},
): Promise<Differences> {
  const args = ["diff-tree", "-r", "--no-renames", "--raw", "--no-abbrev", "-z", from, to, "--"]
  const fields = namesIn((await git(where, args, { limitMs: fileLimitMs, ...call })).stdout)
  const differences = new Map<Name, Difference>()
  // `:<mode> <mode> <id> <id> <status>`, then the name.
  for (let index = 0; index + 1 < fields.length; index += 2)
    differences.set(fields[index + 1] ?? "", fields[index] ?? "")
  return differences
}
