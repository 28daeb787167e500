import { isDeepStrictEqual } from "node:util"
import type { Lease, StoredJob } from "./stored-job.ts"

/**
 * What is to be changed of a stored job. Plain JSON, merged key by key: the later value of a key holds, so that no
 * order of attempts can bring an earlier one back.
 */
export type Patch = Partial<
  Pick<
    StoredJob,
    | "record"
    | "subagents"
    | "text"
    | "prompt"
    | "variant"
    | "ownerAgent"
    | "askedAt"
    | "askedBefore"
    | "deliveredRun"
    | "movedTo"
    | "checking"
  >
> & {
  /** The job is run from here on by whoever writes this. */
  takesLease?: true
}

export const merged = (earlier: Patch, later: Patch): Patch => ({ ...earlier, ...later })

/** The stored job with its changes; nothing where it has them already. */
export function patched(stored: StoredJob, patch: Patch, own: Lease): StoredJob | undefined {
  const { takesLease, ...fields } = patch
  const changed = { ...stored, ...fields, ...(takesLease && { lease: own }) }
  return isDeepStrictEqual(changed, stored) ? undefined : changed
}
