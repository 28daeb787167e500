import { describe, expect, it, onTestFinished } from "vitest"
import type { JobInput } from "../../../src/machines/events.ts"
import { createTroupe, type Troupe } from "../../../src/machines/troupe.ts"
import { createChildren } from "../../../src/plugin/children/effects.ts"
import type { Host, Result, Session } from "../../../src/plugin/host/port.ts"
import { promptIds } from "../../../src/plugin/host/prompt-ids.ts"
import type { Options } from "../../../src/plugin/options.ts"
import { Inbox } from "../../../src/plugin/owners/inbox.ts"
import { takeLease } from "../../../src/plugin/records/lease.ts"
import { createRecovery } from "../../../src/plugin/records/recovery.ts"
import { JobStore } from "../../../src/plugin/records/store.ts"
import { type StoredJob as Stored, StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { settled } from "../../machines/support/play.ts"
import { failed, hostDouble, ok } from "../support/host-double.ts"
import { answerTo, askedBy, sessionOf } from "../support/opencode-data.ts"

const askedAt = 1_000_000
const { messageID, partID } = promptIds("ses_1", askedAt)
/** A holder on another host counts as dead. */
const dead = { host: "elsewhere", pid: 1, process: "start", instance: "dead" }

const job: JobInput = {
  id: "a",
  owner: "owner",
  description: "Look",
  prompt: "Look around.",
  agent: "general",
  createdAt: askedAt,
  askedAt,
  run: 1,
  timeoutMs: 60_000,
  idleMs: 60_000,
}

type Setup = {
  overrides?: Partial<Host>
  recover?: Options["recover"]
  /** What the stored job is, other than at work. */
  stored?: (job: Stored) => Stored
}

/** An opencode that starts anew: one job of a process that is gone. */
function newStart({ overrides = {}, recover = "fail", stored = (same) => same }: Setup = {}) {
  const host = hostDouble(overrides)
  const { lease, drop } = takeLease()
  onTestFinished(drop)
  const earlier = StoredJob.parse(new JobStore(host, dead).newMetadata(job).troupe)
  const child = { parentID: "owner", metadata: { troupe: stored(earlier) } }
  host.sessions.set("ses_1", sessionOf("ses_1", child))
  const asked = { session: "ses_1", messageID, partID, text: job.prompt, agent: job.agent }
  host.said.set("ses_1", [askedBy(asked)])

  const store = new JobStore(host, lease)
  const children = createChildren({
    host,
    jobTools: [],
    metadataFor: (each) => store.newMetadata(each),
    recordOf: ({ owner, id }) => troupe.records.get(owner, id),
  })
  const troupe: Troupe = createTroupe({ effects: children.effects, concurrency: 8 })
  onTestFinished(() => troupe.stop())
  store.follow(troupe)
  const inbox = new Inbox(troupe.records, store)
  const found: string[] = []
  const onFound = (owner: string) => void found.push(owner)
  const recovery = createRecovery({ host, troupe, inbox, store, recover, onFound, now: () => 2_000_000 })
  onTestFinished(() => recovery.stop())
  const kept = () => StoredJob.parse(host.sessions.get("ses_1")?.metadata?.troupe)
  const record = () => troupe.records.get("owner", "a")
  return { host, store, troupe, inbox, recovery, found, kept, record, asked, lease }
}

describe("A job that was at work when its process ended", () => {
  it("has failed as interrupted, with what it had written, in this process and in the store", async () => {
    const { recovery, host, record, kept, store, found, asked } = newStart()
    host.said.get("ses_1")?.push(answerTo(asked, "half", { finish: "tool-calls" }))
    await recovery.owner("owner")
    expect(record()).toMatchObject({ state: "failed", error: { kind: "interrupted" }, text: "half" })
    await store.settled()
    expect(kept().record).toMatchObject({ state: "failed", run: 1 })
    expect(host.prompts).toEqual([])
    // What its child had started itself has lost its owner.
    expect(found).toEqual(["ses_1", "owner"])
  })

  it("is done where its answer is there", async () => {
    const { recovery, host, record, asked } = newStart()
    host.said.get("ses_1")?.push(answerTo(asked, "the answer"))
    await recovery.owner("owner")
    expect(record()).toMatchObject({ state: "done", text: "the answer", run: 1 })
  })

  it("goes on where it is to be resumed: asked under the ids of before", async () => {
    const { recovery, host, kept, lease } = newStart({ recover: "resume" })
    await recovery.owner("owner")
    await settled()
    expect(host.prompts.map(({ prompt }) => prompt)).toMatchObject([{ session: "ses_1", messageID, partID }])
    expect(kept().lease).toEqual(lease)
  })

  it("is left to the process that took it between the look and the claim", async () => {
    const quicker = { ...dead, instance: "quicker" }
    const stage = newStart({
      recover: "resume",
      overrides: {
        messages: async () => {
          const metadata = { troupe: { ...stage.kept(), lease: quicker } }
          stage.host.sessions.set("ses_1", sessionOf("ses_1", { parentID: "owner", metadata }))
          return ok([])
        },
      },
    })
    await stage.recovery.owner("owner")
    await settled()
    expect([stage.record(), stage.host.prompts]).toEqual([undefined, []])
    expect(stage.kept().lease).toEqual(quicker)
  })

  it("ends as was decided before: a cancel is no interruption", async () => {
    const error = { kind: "cancelled" as const, message: "not needed" }
    const { recovery, record } = newStart({
      recover: "resume",
      stored: (earlier) => ({ ...earlier, record: { ...earlier.record, error, endedAt: 1_500_000 } }),
    })
    await recovery.owner("owner")
    expect(record()).toMatchObject({ state: "cancelled", error, endedAt: 1_500_000 })
  })

  it("is left alone while its process lives", async () => {
    const { lease, drop } = takeLease()
    const { recovery, record } = newStart({ stored: (earlier) => ({ ...earlier, lease }) })
    await recovery.owner("owner")
    expect(record()).toBeUndefined()
    drop()
  })
})

describe("A job that had ended", () => {
  const done = (earlier: Stored): Stored => ({
    ...earlier,
    record: { ...earlier.record, state: "done", endedAt: 1_500_000 },
  })

  it("is known again, and its owner has not read it", async () => {
    const { recovery, record, inbox } = newStart({ stored: done })
    await recovery.owner("owner")
    expect(record()).toMatchObject({ session: "ses_1", state: "done", endedAt: 1_500_000 })
    expect(inbox.unread("owner")).toHaveLength(1)
  })

  it("is not told again where the store or the conversation says that it was", async () => {
    const told = newStart({ stored: (earlier) => ({ ...done(earlier), toldRun: 1 }) })
    await told.recovery.owner("owner")
    expect(told.inbox.unread("owner")).toEqual([])

    const delivered = newStart({ stored: done })
    const { info, parts } = askedBy({ ...delivered.asked, session: "owner" })
    const metadata = { troupe: { told: [{ session: "ses_1", run: 1 }] } }
    delivered.host.said.set("owner", [{ info, parts: parts.map((part) => ({ ...part, metadata })) }])
    await delivered.recovery.owner("owner")
    expect(delivered.inbox.unread("owner")).toEqual([])
  })
})

describe("The look for jobs of earlier processes", () => {
  it("is taken once, however many ask for it", async () => {
    const { recovery, found } = newStart()
    await Promise.all([recovery.owner("owner"), recovery.owner("owner")])
    await recovery.owner("owner")
    expect(found.filter((owner) => owner === "owner")).toHaveLength(1)
  })

  it("is taken again after it failed, and leaves alone what this process has done meanwhile", async () => {
    const looks: Result<Session[]>[] = [failed("not now")]
    const { recovery, troupe, host, store } = newStart({
      overrides: { children: async () => looks.shift() ?? ok([...host.sessions.values()]) },
    })
    await recovery.owner("owner")
    expect(host.logged).toEqual([expect.stringContaining("not now")])
    troupe.start({ ...job, id: "mine" })
    await settled()
    host.prompts[0]?.answer("mine alone")
    await settled()
    await store.settled()
    await recovery.owner("owner")
    expect(troupe.records.get("owner", "mine")).toMatchObject({ state: "done", text: "mine alone" })
    expect(troupe.records.get("owner", "a")).toMatchObject({ state: "failed" })
  })

  it("at a start goes to the owners with unfinished or untold jobs, and names what it cannot read", async () => {
    const { recovery, found, host } = newStart()
    host.sessions.set("ses_2", sessionOf("ses_2", { metadata: { troupe: { version: 99 } } }))
    await recovery.everybody()
    expect(found).toContain("owner")
    expect(host.logged[0]).toMatch(/^warn: ses_2 was skipped .*: metadata\.troupe\.version: /)
  })
})
