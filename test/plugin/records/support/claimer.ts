import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as after } from "node:timers/promises"
import * as z from "zod"
import { createMarkers } from "../../../../src/plugin/records/claim-markers.ts"
import { createClaims } from "../../../../src/plugin/records/claims.ts"
import { takeLease } from "../../../../src/plugin/records/lease.ts"
import { StoredJob } from "../../../../src/plugin/records/stored-job.ts"
import { hostDouble } from "../../support/host-double.ts"

/**
 * A process that claims jobs, each a file, when it is told to. What it is given: `{store, claims, sessions}`. It says
 * `ready`, then what became of each claim.
 */
const [given = ""] = process.argv.slice(2)
const { store, claims, sessions } = z
  .object({ store: z.string(), claims: z.string(), sessions: z.array(z.string()) })
  .parse(JSON.parse(given))

const read = (session: string): unknown => JSON.parse(readFileSync(join(store, session), "utf8"))
const holder = takeLease()
const host = hostDouble({
  // As opencode does it: what comes between the read and the write is overwritten.
  updateStored: async (session, change) => {
    const changed = change(read(session))
    await after(5)
    if (changed) {
      const draft = join(store, `${session}.${process.pid}`)
      writeFileSync(draft, JSON.stringify(changed))
      renameSync(draft, join(store, session))
    }
    return { ok: true, value: undefined }
  },
})
const seen = sessions.map((session) => ({ session, stored: StoredJob.parse(read(session)) }))
const { claim } = createClaims(host, holder, createMarkers(claims))
await holder.lease
process.stdout.write("ready\n")
process.stdin.once("data", async () => {
  const outcomes: string[] = []
  // Each of an owner of its own.
  for (const job of seen) outcomes.push(...(await claim(job.session, [job])))
  process.stdout.write(`${JSON.stringify({ instance: holder.instance, outcomes })}\n`)
  // It lives until it is ended: a holder that is gone holds nothing.
})
