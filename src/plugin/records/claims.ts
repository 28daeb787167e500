import { createHash } from "node:crypto"
import { hasEnded } from "../../machines/record.ts"
import type { Host } from "../host/port.ts"
import { createMarkers, type Markers } from "./claim-markers.ts"
import type { Holder } from "./lease.ts"
import { type Lease, StoredJob } from "./stored-job.ts"

/** `unknown`: opencode, or the file system, did not say. Worth another attempt. */
export type Claim = "taken" | "another's" | "unknown"

export type Claims = {
  /** @param seen the job as it was found, left by a process that is gone. */
  claim(session: string, seen: StoredJob): Promise<Claim>
}

/** How long a claim without a marker is looked at, milliseconds: much longer than a write takes. */
const settleMs = 1_000

/**
 * Takes over the unfinished jobs of dead processes, each by one process. opencode's store has no compare-and-set, but
 * the file system has: whoever makes the marker of a job and its dead holder may write its own lease over that
 * holder's, and nobody else. A marker names who made it, so that one whose maker died on the way does not bar the
 * job: it leads on to the marker of the job and that maker.
 */
export function createClaims(host: Host, holder: Holder, markers: Markers = createMarkers()): Claims {
  async function claim(session: string, seen: StoredJob): Promise<Claim> {
    if (holder.isOurs(seen.lease)) return "taken"
    const own = await holder.lease
    /** The holder whose job it is and, oldest first, those who died as they claimed it. */
    const dead = [seen.lease.instance]
    const keys: string[] = []
    for (;;) {
      const key = keyOf(session, dead)
      const marker = await markers.take(key, own)
      if (marker.type === "unusable") return claimWithoutMarker(session, seen, own)
      keys.push(key)
      if (marker.type === "taken") break
      if (marker.type === "abandoned") {
        dead.push(key)
        continue
      }
      if (holder.isOurs(marker.by)) break
      if (await holder.isHeld(marker.by)) return "another's"
      dead.push(marker.by.instance)
    }
    const claimed = await write(session, seen, dead, own)
    // While it is not known whether it is written, the marker stays: nobody else may try meanwhile.
    if (claimed === "taken") await Promise.all(keys.map(markers.remove))
    if (claimed === "another's") await Promise.all(keys.slice(-1).map(markers.remove))
    return claimed
  }

  /** Writes, and sees after a while whether it was the last to do so. */
  async function claimWithoutMarker(session: string, seen: StoredJob, own: Lease): Promise<Claim> {
    const claimed = await write(session, seen, [seen.lease.instance], own)
    if (claimed !== "taken") return claimed
    await new Promise((resolve) => setTimeout(resolve, settleMs).unref())
    const found = await host.session(session)
    const stored = found.ok ? StoredJob.safeParse(found.value.stored).data : undefined
    if (!stored) return "unknown"
    return holder.isOurs(stored.lease) ? "taken" : "another's"
  }

  /** Reads the job again before it writes: it may have been claimed and done since it was seen. */
  async function write(
    session: string,
    seen: StoredJob,
    dead: readonly string[],
    own: Lease,
  ): Promise<Claim> {
    let claimed: Claim = "another's"
    const updated = await host.updateStored(session, (found) => {
      const stored = StoredJob.safeParse(found).data
      if (!stored || !isAsSeen(stored, seen)) return undefined
      if (!holder.isOurs(stored.lease) && !dead.includes(stored.lease.instance)) return undefined
      claimed = "taken"
      return { ...stored, lease: own }
    })
    if (updated.ok) return claimed
    return updated.error.status === 404 ? "another's" : "unknown"
  }

  return { claim }
}

const isAsSeen = ({ record }: StoredJob, seen: StoredJob) =>
  record.run === seen.record.run && record.error === undefined && !hasEnded({ ...record, session: "" })

function keyOf(session: string, dead: readonly string[]): string {
  return createHash("sha256")
    .update(`${session} ${dead.at(-1)}`)
    .digest("hex")
    .slice(0, 32)
}
