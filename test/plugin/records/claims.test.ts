import { spawn } from "node:child_process"
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import * as z from "zod"
import { createMarkers, type Markers } from "../../../src/plugin/records/claim-markers.ts"
import { type Claim, createClaims } from "../../../src/plugin/records/claims.ts"
import type { Holder } from "../../../src/plugin/records/lease.ts"
import { type Lease, newStoredJob, StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { tempFolder } from "../../support/temp-folder.ts"
import { failed, type HostDouble, hostDouble } from "../support/host-double.ts"
import { job, leaseOf, left } from "../support/left-job.ts"
import { sessionOf } from "../support/opencode-data.ts"

/** One opencode of this machine, on the same store and the same folder as all others. */
function starter(name: string, { host, folder, living }: Stage, markers: Markers = createMarkers(folder)) {
  const holder: Holder = {
    instance: name,
    lease: Promise.resolve(leaseOf(name)),
    isOurs: ({ instance }) => instance === name,
    isHeld: async ({ instance }) => living.has(instance),
    drop: () => {},
  }
  living.add(name)
  const claims = createClaims(host, holder, markers)
  return {
    async claim(session: string, stored: StoredJob): Promise<Claim | undefined> {
      const [claim] = await claims.claim("owner", [{ session, stored }])
      return claim
    },
    claimAll: claims.claim,
  }
}

type Stage = { host: HostDouble; folder: string; living: Set<string> }

function stage() {
  const temporary = tempFolder("claims")
  onTestFinished(() => temporary.remove())
  const host = hostDouble()
  const put = (stored: StoredJob) =>
    host.sessions.set("ses_1", sessionOf("ses_1", { parentID: "owner", metadata: { troupe: stored } }))
  put(left)
  const folder = join(temporary.path, "state", "claims")
  const holderNow = () => StoredJob.parse(host.sessions.get("ses_1")?.metadata?.troupe).lease.instance
  const markers = () => (existsSync(folder) ? readdirSync(folder) : [])
  return { host, folder, living: new Set<string>(), put, holderNow, markers }
}

describe("A job whose process is gone", () => {
  it("is whose claims it, and leaves no marker behind", async () => {
    const here = stage()
    expect(await starter("a", here).claim("ses_1", left)).toBe("taken")
    expect([here.holderNow(), here.markers()]).toEqual(["a", []])
  })

  it("is another's where that one claims it at this moment", async () => {
    const here = stage()
    const write = here.host.updateStored
    let quicker: Promise<Claim | undefined> | undefined
    here.host.updateStored = async (...given) => {
      quicker ??= starter("b", here).claim("ses_1", left)
      await quicker
      return write(...given)
    }
    expect(await starter("a", here).claim("ses_1", left)).toBe("taken")
    expect([await quicker, here.holderNow()]).toEqual(["another's", "a"])
  })

  it("is another's where that one was quicker: it is read again with the marker in hand", async () => {
    const here = stage()
    await starter("a", here).claim("ses_1", left)
    expect(await starter("b", here).claim("ses_1", left)).toBe("another's")
    expect([here.holderNow(), here.markers()]).toEqual(["a", []])
  })

  it.each<[string, StoredJob["record"]]>([
    ["has ended", { ...left.record, state: "done", endedAt: 5 }],
    ["was cancelled", { ...left.record, error: { kind: "cancelled", message: "no" } }],
    ["runs again", { ...left.record, run: 2 }],
  ])("is not to be run where it %s since it was looked at", async (_, record) => {
    const here = stage()
    here.put({ ...left, record })
    expect(await starter("a", here).claim("ses_1", left)).toBe("another's")
    expect(here.host.writes).toEqual([])
  })

  it("is ours where it was ours before, without a claim", async () => {
    const here = stage()
    expect(await starter("a", here).claim("ses_1", newStoredJob(job, leaseOf("a")))).toBe("taken")
    expect(here.host.writes).toEqual([])
  })

  it("is left to nobody where its session is gone", async () => {
    const here = stage()
    here.host.sessions.delete("ses_1")
    expect(await starter("a", here).claim("ses_1", left)).toBe("another's")
    expect(here.markers()).toEqual([])
  })

  it("is kept from others while it is not known whether the claim is written", async () => {
    const here = stage()
    const write = here.host.updateStored
    here.host.updateStored = async () => failed("no answer")
    const first = starter("a", here)
    expect(await first.claim("ses_1", left)).toBe("unknown")
    here.host.updateStored = write
    expect(await starter("b", here).claim("ses_1", left)).toBe("another's")
    expect(await first.claim("ses_1", left)).toBe("taken")
    expect([here.holderNow(), here.markers()]).toEqual(["a", []])
  })

  it("is claimed by the next one where a claimer died on the way, and by the one after that", async () => {
    const here = stage()
    const write = here.host.updateStored
    here.host.updateStored = async () => failed("no answer")
    for (const name of ["a", "b"]) {
      expect(await starter(name, here).claim("ses_1", left)).toBe("unknown")
      here.living.delete(name)
    }
    here.host.updateStored = write
    expect(await starter("c", here).claim("ses_1", left)).toBe("taken")
    expect([here.holderNow(), here.markers()]).toEqual(["c", []])
  })

  it("is claimed though a claimer died after it had written", async () => {
    const here = stage()
    const dying = createMarkers(here.folder)
    const a = starter("a", here, { ...dying, remove: async () => {} })
    expect(await a.claim("ses_1", left)).toBe("taken")
    here.living.delete("a")
    // Whoever looked before that still has the first lease in mind.
    expect(await starter("b", here).claim("ses_1", left)).toBe("taken")
    expect(here.holderNow()).toBe("b")
  })

  it("is claimed though a crash of the machine has emptied a marker", async () => {
    const here = stage()
    const write = here.host.updateStored
    here.host.updateStored = async () => failed("no answer")
    await starter("a", here).claim("ses_1", left)
    here.host.updateStored = write
    const [marker = ""] = here.markers()
    writeFileSync(join(here.folder, marker), "")
    expect(await starter("b", here).claim("ses_1", left)).toBe("taken")
    expect([here.holderNow(), here.markers()]).toEqual(["b", []])
  })
})

describe("The jobs that dead processes have left to one owner", () => {
  const sessions = ["ses_1", "ses_2", "ses_3"]
  /** Two of one dead process, one of another. */
  const seen = sessions.map((session, index) => ({
    session,
    stored: newStoredJob(job, leaseOf(index === 2 ? "dead too" : "dead")),
  }))
  function many() {
    const here = stage()
    for (const { session, stored } of seen)
      here.host.sessions.set(session, sessionOf(session, { metadata: { troupe: stored } }))
    const holders = () =>
      sessions.map((id) => StoredJob.parse(here.host.sessions.get(id)?.metadata?.troupe).lease.instance)
    return { ...here, holders }
  }

  it("are claimed together, or none of them", async () => {
    const here = many()
    const claims = await Promise.all(
      ["a", "b"].map((name) => starter(name, here).claimAll("owner", seen.toReversed())),
    )
    const [taker] = here.holders()
    expect(here.holders()).toEqual([taker, taker, taker])
    expect(claims.map((each) => each.join()).sort()).toEqual([
      "another's,another's,another's",
      "taken,taken,taken",
    ])
    expect(here.markers()).toEqual([])
  })

  it("stay with whoever claims them while it is not known of one of them whether it is written", async () => {
    const here = many()
    const write = here.host.updateStored
    here.host.updateStored = async (session, change) =>
      session === "ses_2" ? failed("no answer") : write(session, change)
    const first = starter("a", here)
    expect(await first.claimAll("owner", seen)).toEqual(["taken", "unknown", "taken"])
    here.host.updateStored = write
    expect(await starter("b", here).claim("ses_2", left)).toBe("another's")
    expect(await first.claim("ses_2", left)).toBe("taken")
    expect(here.holders()).toEqual(["a", "a", "a"])
  })

  it("of another owner are claimed by another process", async () => {
    const here = many()
    const [first, second, third] = seen
    if (!first || !second || !third) throw new Error("there are three")
    await starter("a", here).claimAll("owner", [first])
    expect(await starter("b", here).claimAll("other", [second, third])).toEqual(["taken", "taken"])
  })
})

describe("A claim of a user without a folder for markers", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }))
  afterEach(() => void vi.useRealTimers())

  /** A file lies where the folder would be made. */
  function withoutFolder() {
    const here = stage()
    mkdirSync(join(here.folder, ".."), { recursive: true })
    writeFileSync(here.folder, "no folder")
    return here
  }

  it("is written, and looked at after a while", async () => {
    const here = withoutFolder()
    const claiming = starter("a", here, createMarkers(here.folder)).claim("ses_1", left)
    await vi.waitFor(() => expect(here.host.writes).toHaveLength(1))
    await vi.advanceTimersByTimeAsync(1_000)
    expect([await claiming, here.holderNow()]).toEqual(["taken", "a"])
  })

  it("is given up where another has written meanwhile", async () => {
    const here = withoutFolder()
    const claiming = starter("a", here, createMarkers(here.folder)).claim("ses_1", left)
    await vi.waitFor(() => expect(here.host.writes).toHaveLength(1))
    here.put(newStoredJob(job, leaseOf("b")))
    await vi.advanceTimersByTimeAsync(1_000)
    expect([await claiming, here.holderNow()]).toEqual(["another's", "b"])
  })

  it.runIf(process.getuid?.() === 0)(
    "is the same where the folder is another user's, who could bar all claims or have them wait for ever",
    async () => {
      const here = stage()
      mkdirSync(here.folder, { recursive: true })
      for (const folder of [here.folder, join(here.folder, "..")]) {
        chownSync(folder, 65_534, 65_534)
        chmodSync(folder, 0o777)
        expect(await createMarkers(here.folder).take("key", leaseOf("a"))).toEqual({ type: "unusable" })
        expect(here.markers()).toEqual([])
        chownSync(here.folder, 0, 0)
      }
    },
  )

  it("is not known where opencode does not say", async () => {
    const here = withoutFolder()
    const claiming = starter("a", here, createMarkers(here.folder)).claim("ses_1", left)
    await vi.waitFor(() => expect(here.host.writes).toHaveLength(1))
    here.host.session = async () => failed("away")
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await claiming).toBe("unknown")
  })
})

describe("Two processes that claim the same jobs at the same moment", () => {
  it("run each job once", { timeout: 30_000 }, async () => {
    const temporary = tempFolder("claimers")
    onTestFinished(() => temporary.remove())
    const [store, claims] = [join(temporary.path, "store"), join(temporary.path, "claims")]
    mkdirSync(store)
    const sessions = Array.from({ length: 40 }, (_, index) => `ses_${index}`)
    const dead: Lease = { pid: 2 ** 22 + 1, process: "start", instance: "dead" }
    for (const session of sessions)
      writeFileSync(join(store, session), JSON.stringify(newStoredJob(job, dead)))

    const claimers = await Promise.all([0, 1].map(() => startClaimer({ store, claims, sessions })))
    const results = await Promise.all(claimers.map((claimer) => claimer.go()))
    const takers = sessions.map((session, index) => {
      const takers = results.filter(({ outcomes }) => outcomes[index] === "taken")
      const { lease } = StoredJob.parse(JSON.parse(readFileSync(join(store, session), "utf8")))
      return { takers: takers.map(({ instance }) => instance), holder: lease.instance }
    })
    expect(takers).toEqual(takers.map(({ holder }) => ({ takers: [holder], holder })))
  })
})

const ClaimerResult = z.object({ instance: z.string(), outcomes: z.array(z.string()) })

async function startClaimer(given: object) {
  const script = join(import.meta.dirname, "support", "claimer.ts")
  const child = spawn(process.execPath, ["--import", "tsx", script, JSON.stringify(given)], {
    stdio: ["pipe", "pipe", "inherit"],
  })
  onTestFinished(() => void child.kill("SIGKILL"))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  expect(await lines.next()).toMatchObject({ value: "ready" })
  return {
    async go() {
      child.stdin.write("go\n")
      return ClaimerResult.parse(JSON.parse((await lines.next()).value))
    },
  }
}
