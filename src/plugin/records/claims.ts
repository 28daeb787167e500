import { createHash } from "node:crypto"
import { hasEnded } from "../../machines/record.ts"
import type { Host } from "../host/port.ts"
import { createMarkers, type Markers } from "./claim-markers.ts"
import type { Holder } from "./lease.ts"
import { type Lease, StoredJob } from "./stored-job.ts"

/** `unknown`: opencode, or the file system, did not say. Worth another attempt. */
export type Claim = "taken" | "another's" | "unknown"

/** An unfinished job as it was found, left by a process that is gone. */
export type SeenJob = { session: string; stored: StoredJob }

export type Claims = {
  /**
   * Claims jobs of one owner, all or none: were they shared out, some of their results would come to another process
   * than the one in which their owner is used.
   * @returns what became of each, in the order given.
   */
  claim(owner: string, seen: readonly SeenJob[]): Promise<Claim[]>
}

/** How long a claim without a marker is looked at, milliseconds: much longer than a write takes. */
const settleMs = 1_000

/**
 * Takes over the unfinished jobs of dead processes, those of an owner by one process. opencode's store has no
 * compare-and-set, but the file system has: whoever makes the marker of an owner and a dead holder may write its own
 * lease over that holder's, and nobody else. A marker names who made it, so that one whose maker died on the way does
 * not bar the jobs: it leads on to the marker of the owner and that maker.
 */
export function createClaims(host: Host, holder: Holder, markers: Markers = createMarkers()): Claims {
  async function claim(owner: string, seen: readonly SeenJob[]): Promise<Claim[]> {
    const own = await holder.lease
    const found = await takeMarkers(owner, holdersOf(seen), own)
    if (found.type === "unusable") return claimWithoutMarkers(seen, own)
    if (found.type === "another's") return seen.map(({ stored }) => (isOurs(stored) ? "taken" : "another's"))
    const claimed = await Promise.all(seen.map((job) => write(job, found.dead, own)))
    // While it is not known whether all is written, the markers stay: nobody else may try meanwhile.
    if (!claimed.includes("unknown")) await Promise.all(found.keys.map(markers.remove))
    return claimed
  }

  /** The holders that are gone, each once and in an order that all processes keep to. */
  const holdersOf = (seen: readonly SeenJob[]) =>
    [...new Set(seen.flatMap(({ stored }) => (isOurs(stored) ? [] : stored.lease.instance)))].sort()

  const isOurs = ({ lease }: StoredJob) => holder.isOurs(lease)

  async function takeMarkers(owner: string, holders: readonly string[], own: Lease): Promise<Taken> {
    /** The holders whose jobs these are and, behind each, those who died as they claimed them. */
    const dead = new Set<string>()
    const keys = new Set<string>()
    const made: string[] = []
    for (const instance of holders) {
      for (let last = instance; ; ) {
        dead.add(last)
        const key = keyOf(owner, last)
        const marker = await markers.take(key, own)
        if (marker.type === "unusable") return marker
        if (marker.type === "taken") made.push(key)
        if (marker.type === "held" && !holder.isOurs(marker.by) && (await holder.isHeld(marker.by))) {
          await Promise.all(made.map(markers.remove))
          return { type: "another's" }
        }
        keys.add(key)
        if (marker.type === "taken" || (marker.type === "held" && holder.isOurs(marker.by))) break
        last = marker.type === "held" ? marker.by.instance : key
      }
    }
    return { type: "taken", dead, keys: [...keys] }
  }

  /** Writes, and sees after a while whether it was the last to do so. */
  async function claimWithoutMarkers(seen: readonly SeenJob[], own: Lease): Promise<Claim[]> {
    const claimed = await Promise.all(
      seen.map((job) => write(job, new Set([job.stored.lease.instance]), own)),
    )
    if (!claimed.includes("taken")) return claimed
    await new Promise((resolve) => setTimeout(resolve, settleMs).unref())
    return Promise.all(
      seen.map(({ session }, index) =>
        claimed[index] === "taken" ? held(session) : (claimed[index] ?? "unknown"),
      ),
    )
  }

  async function held(session: string): Promise<Claim> {
    const found = await host.session(session)
    const stored = found.ok ? StoredJob.safeParse(found.value.stored).data : undefined
    if (!stored) return "unknown"
    return isOurs(stored) ? "taken" : "another's"
  }

  /** Reads the job again before it writes: it may have been claimed and done since it was seen. */
  async function write(
    { session, stored: seen }: SeenJob,
    dead: ReadonlySet<string>,
    own: Lease,
  ): Promise<Claim> {
    if (isOurs(seen)) return "taken"
    let claimed: Claim = "another's"
    const updated = await host.updateStored(session, (found) => {
      const stored = StoredJob.safeParse(found).data
      if (!stored || !isAsSeen(stored, seen)) return undefined
      if (!isOurs(stored) && !dead.has(stored.lease.instance)) return undefined
      claimed = "taken"
      return { ...stored, lease: own }
    })
    if (updated.ok) return claimed
    return updated.error.status === 404 ? "another's" : "unknown"
  }

  return { claim }
}

type Taken =
  | { type: "taken"; dead: ReadonlySet<string>; keys: string[] }
  | { type: "another's" }
  | { type: "unusable" }

const isAsSeen = ({ record }: StoredJob, seen: StoredJob) =>
  record.run === seen.record.run && record.error === undefined && !hasEnded({ ...record, session: "" })

function keyOf(owner: string, dead: string): string {
  return createHash("sha256").update(`${owner} ${dead}`).digest("hex").slice(0, 32)
}
