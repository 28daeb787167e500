import type { TestRepository } from "./repository.ts"
import { writeAll } from "./repository.ts"

/** What a job does in its worktree where nothing else is asked of it. */
const addsFile = (directory: string) => writeAll(directory, { "by a job.txt": "done\n" })

/** Makes a worktree, has a job do something in it, and brings that back. @returns where the job was */
export async function roundTrip(
  repo: TestRepository,
  { directory = repo.path, work = addsFile }: { directory?: string; work?: (directory: string) => void } = {},
): Promise<string> {
  const owner = "ses_0123456789abcdef"
  const made = await repo.worktrees.make({ directory, owner, job: "a" })
  work(made.directory)
  const sealed = await repo.worktrees.seal(made.directory, "the end")
  const jobs = [{ id: "a", base: made.base, commit: sealed.commit }]
  const ready = await repo.worktrees.prepareApply({ directory, owner, jobs })
  if (ready.type === "refused") throw new Error(JSON.stringify(ready.refusals))
  await ready.write()
  return made.directory
}
