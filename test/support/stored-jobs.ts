import { StoredJob } from "../../src/plugin/records/stored-job.ts"
import type { AnyOpencode } from "./any-opencode.ts"

export type KeptJob = StoredJob & { session: string }

/** An owner's jobs as they lie in opencode's store. */
export async function storedJobs(opencode: AnyOpencode, owner: string): Promise<KeptJob[]> {
  const children = await opencode.children(owner)
  return children.map(({ id, stored }) => ({ session: id, ...StoredJob.parse(stored) }))
}
