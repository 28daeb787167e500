import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { JobInput } from "../../../src/machines/events.ts"
import type { JobRecord } from "../../../src/machines/record.ts"
import { holdToOwner } from "../../../src/plugin/children/hold.ts"
import { checkFor } from "../../../src/plugin/children/schema/schemas.ts"
import { finalAnswer } from "../../../src/plugin/host/answers.ts"
import type { FoundSessions, Host, Result } from "../../../src/plugin/host/port.ts"
import { promptID, repairID } from "../../../src/plugin/host/prompt-ids.ts"
import { verdict } from "../../../src/plugin/host/rules.ts"
import { decodeMessage, decodeSession, type MessageWithParts } from "../../../src/plugin/host/v1/decode.ts"
import type { Options } from "../../../src/plugin/options.ts"
import type { Claim, Claims } from "../../../src/plugin/records/claims.ts"
import type { Holder } from "../../../src/plugin/records/lease.ts"
import { createRecovery, type RecoveryOptions, type Waiting } from "../../../src/plugin/records/recovery.ts"
import { newStoredJob, StoredJob, type StoredRecord } from "../../../src/plugin/records/stored-job.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { gate } from "../../support/gate.ts"
import { failed, type HostDouble, ok, okAgents } from "../support/host-double.ts"
import { agentOf, answerTo, askedBy, sessionOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"

const askedAt = 1_000_000
const leaseOf = (instance: string) => ({ pid: 7, process: "start", instance })
const dead = leaseOf("dead")
const own = leaseOf("own")

const job: JobInput = {
  id: "a",
  owner: "owner",
  batch: "batch-1",
  description: "Look",
  prompt: "Look around.",
  agent: "general",
  createdAt: askedAt,
  askedAt,
  run: 1,
  timeoutMs: 60_000,
  idleMs: 60_000,
}
const asked = { session: "ses_1", messageID: promptID("ses_1", askedAt), text: job.prompt, agent: job.agent }
const done: Partial<StoredRecord> = { state: "done", endedAt: 1_500_000 }

/** Longer than all pauses together after which anything is tried again. */
const longEnough = 10 * 60_000

quietXState()
beforeEach(() => void vi.useFakeTimers({ now: 2_000_000 }))
afterEach(() => void vi.useRealTimers())

type Put = {
  id?: string
  owner?: string
  record?: Partial<StoredRecord>
  stored?: Partial<StoredJob>
  updated?: number
}

type Setup = {
  recover?: Options["recover"]
  claims?: Claims
  /** The instances that live in other processes. */
  living?: string[]
  /** Whether this start has replaced the plugin's last instance in the same process. */
  isReload?: boolean
  /** What other instances in the same process have. */
  owners?: Pick<RecoveryOptions, "isHere" | "left" | "onLeft">
  /** What stands between the store and opencode. */
  through?: (double: Host) => Host
  finishBegun?: RecoveryOptions["finishBegun"]
}

/** An opencode that starts, beside what earlier ones have left. */
function newStart({
  recover = "fail",
  claims,
  living = [],
  isReload = false,
  owners,
  through,
  finishBegun = async () => {},
}: Setup = {}) {
  const alive = new Set(["own", ...living])
  const holder: Holder = {
    instance: "own",
    lease: Promise.resolve(own),
    isOurs: ({ instance }) => instance === "own",
    isHeld: async ({ instance }) => alive.has(instance),
    drop: () => {},
  }
  const writes: Claims = {
    claim: (_, seen) =>
      Promise.all(
        seen.map(async ({ session, stored: { lease } }): Promise<Claim> => {
          let taken = false
          await host.updateStored(session, (found) => {
            const stored = StoredJob.parse(found)
            taken = stored.lease.instance === lease.instance
            return taken ? { ...stored, lease: own } : undefined
          })
          return taken ? "taken" : "another's"
        }),
      ),
  }
  const services = testServices({}, { recover }, through, { holder, claims: claims ?? writes })
  const { host, troupe, inbox, store } = services
  const waiting: Waiting[] = []
  const onWaiting = (each: Waiting) => void waiting.push(each)
  const takenOver: string[] = []
  const recovery = createRecovery({
    host,
    troupe,
    inbox,
    store,
    recover,
    checkFor,
    hold: (owner, children) => holdToOwner(host, owner, children),
    finishBegun,
    ...owners,
    isTakenOver: () => isReload,
    onTakenOver: (session) => void takenOver.push(session),
    onWaiting,
    onOver: (owner) => services.dependents.look(owner),
    now: Date.now,
  })
  onTestFinished(() => recovery.stop())

  /** A job of an earlier process, at work unless it is said otherwise. */
  function put({ id = "a", owner = "owner", record = {}, stored = {}, updated = 1_900_000 }: Put = {}) {
    const session = id === "a" ? "ses_1" : `ses_${id}`
    const left = newStoredJob({ ...job, id, owner }, dead)
    const troupe = { ...left, ...stored, record: { ...left.record, ...record } }
    const fields = { parentID: owner, metadata: { troupe }, time: { created: 0, updated } }
    host.sessions.set(session, sessionOf(session, fields))
    return session
  }
  const kept = (session = "ses_1") => StoredJob.parse(host.sessions.get(session)?.metadata?.troupe)
  const record = (id = "a", owner = "owner") => troupe.records.get(owner, id)
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
  return { ...services, recovery, waiting, takenOver, alive, put, kept, record, pass }
}

/** A call that fails so often. */
const flaky = <Call extends (...args: never[]) => Promise<unknown>>(call: Call, times = 3) => {
  let failures = times
  const attempt = (...args: Parameters<Call>) =>
    failures-- > 0 ? Promise.resolve(failed("not now", 503)) : call(...args)
  return attempt as Call
}

describe("After a reload in the same process", () => {
  it("a job that waited for its turn goes on", async () => {
    const { recovery, host, record, put, takenOver } = newStart({ isReload: true })
    put()
    await recovery.everybody()
    expect(record()).toMatchObject({ state: "prompting", run: 1 })
    expect(host.prompts).toHaveLength(1)
    expect(takenOver).toEqual(["ses_1"])
  })

  it("results that are not delivered do not wait for their owner to be used: nobody is told that they do", async () => {
    const { recovery, put, takenOver, waiting, inbox } = newStart({ isReload: true })
    put({ record: { state: "done", endedAt: 1 } })
    await recovery.everybody()
    expect(inbox.undelivered("owner")).toHaveLength(1)
    expect(takenOver).toEqual(["ses_1"])
    expect(waiting).toEqual([])
  })
})

describe("A follow-up that was at work when its process ended, to a result that was not delivered", () => {
  const next = { ...asked, messageID: promptID("ses_1", askedAt + 5_000), text: "And more." }
  const followUp = { record: { run: 2 }, stored: { askedAt: askedAt + 5_000, askedBefore: [askedAt] } }

  it.each<["fail" | "resume", boolean, object]>([
    ["fail", true, { state: "done", text: "seen\n\nheard" }],
    ["fail", false, { state: "failed", text: "seen" }],
    ["resume", false, { state: "done", text: "seen\n\nheard" }],
  ])("has that beside its own, with `%s`, answered: %s", async (recover, isAnswered, record) => {
    const { recovery, host, record: current, put, pass } = newStart({ recover })
    put(followUp)
    const said = [askedBy(asked), answerTo(asked, "seen"), askedBy(next)]
    host.said.set("ses_1", isAnswered ? [...said, answerTo(next, "heard")] : said)
    await recovery.owner("owner")
    host.prompts[0]?.answer("heard")
    await pass(0)
    expect(current()).toMatchObject({ run: 2, ...record })
  })
})

describe("A job with a schema that was at work when its process ended", () => {
  const stored = { schema: { type: "object", required: ["n"] } }
  const repair = { ...asked, messageID: repairID(asked.messageID, 1), text: "Answer again" }
  const [fit, unfit] = ['{"n":1}', "one"]
  const [question, again] = [askedBy(asked), askedBy(repair)]
  const wrong = answerTo(asked, unfit)
  const isDone = { state: "done", text: fit, structured: { n: 1 } }
  const hasFailed = { state: "failed", error: { kind: "schema" } }
  const wasInterrupted = { state: "failed", error: { kind: "interrupted" } }

  it.each<[string, MessageWithParts[], "fail" | "resume", object, number]>([
    ["had its answer", [question, answerTo(asked, `It is:\n${fit}`)], "fail", isDone, 0],
    ["had its answer", [question, answerTo(asked, fit)], "resume", isDone, 0],
    ["was not asked", [], "resume", isDone, 2],
    ["was asked", [question], "resume", isDone, 2],
    ["had given an answer that does not fit", [question, wrong], "fail", { ...hasFailed, text: unfit }, 0],
    ["had given an answer that does not fit", [question, wrong], "resume", isDone, 1],
    ["was asked to correct it", [question, wrong, again], "fail", wasInterrupted, 0],
    ["was asked to correct it", [question, wrong, again], "resume", isDone, 1],
    ["had corrected it", [question, wrong, again, answerTo(repair, fit)], "fail", isDone, 0],
    ["had corrected it", [question, wrong, again, answerTo(repair, fit)], "resume", isDone, 0],
    ["had tried to", [question, wrong, again, answerTo(repair, "1")], "fail", { ...hasFailed, text: "1" }, 0],
    [
      "had tried to",
      [question, wrong, again, answerTo(repair, "1")],
      "resume",
      { ...hasFailed, text: "1" },
      0,
    ],
  ])(
    "ends as it would have, asking its model no more than that: one that %s",
    async (_, said, recover, record, calls) => {
      // As opencode 2 answers, and as 1.18 does, where whatever comes last is the answer to whatever is asked again.
      for (const isOwn of [true, false]) {
        const { recovery, host, record: current, put, pass } = newStart({ recover })
        host.said.set("ses_1", [...said])
        let asks = 0
        host.prompt = async (prompt) => {
          const messages = host.said.get("ses_1") ?? []
          const decoded = messages.map(decodeMessage)
          const isAsked = messages.some(({ info }) => info.id === prompt.messageID)
          const isOver = messages.at(-1)?.info.role === "assistant"
          const answer = isOwn || !isOver ? finalAnswer(decoded, prompt.messageID) : decoded.at(-1)
          if (isAsked && answer) return ok(answer)
          asks++
          const given = answerTo(prompt, prompt.text.includes("Answer again") ? fit : unfit)
          messages.push(...(isAsked ? [] : [askedBy(prompt)]), given)
          return ok(decodeMessage(given))
        }
        put({ stored })
        await recovery.owner("owner")
        await pass(100)
        expect(current()).toMatchObject(record)
        expect(current()?.structured).toEqual("structured" in record ? record.structured : undefined)
        expect(asks).toBe(calls)
      }
    },
  )

  it("is done with data that was too long for the store, once its owner's jobs are looked for", async () => {
    const { recovery, host, record, put, waiting } = newStart()
    put({ stored, record: done })
    host.said.set("ses_1", [question, answerTo(asked, `So: ${fit}`)])
    await recovery.everybody()
    expect(record()).toMatchObject({ state: "done", structured: { n: 1 } })
    expect(waiting).toEqual([{ owner: "owner", count: 1 }])
  })

  it.each(["resume", "fail"] as const)(
    "is not called done where its schema cannot be had, with `%s`",
    async (recover) => {
      const { recovery, host, record, put, pass } = newStart({ recover })
      put({ stored: { schema: { type: "nothing known" } } })
      host.said.set("ses_1", [question, answerTo(asked, fit), again, answerTo(repair, fit)])
      await recovery.owner("owner")
      await pass(100)
      expect(record()).toMatchObject({ state: "failed", error: { kind: "schema" }, text: fit })
    },
  )
})

describe("A job that was at work when its process ended", () => {
  it("has failed as interrupted, with what it had written, in this process and in the store", async () => {
    const { recovery, host, record, kept, put, pass } = newStart()
    put()
    host.said.set("ses_1", [askedBy(asked), answerTo(asked, "half", { finish: "tool-calls" })])
    await recovery.owner("owner")
    expect(record()).toMatchObject({ state: "failed", error: { kind: "interrupted" }, text: "half" })
    await pass(0)
    expect(kept()).toMatchObject({ record: { state: "failed", run: 1 }, lease: dead })
    expect(host.prompts).toEqual([])
  })

  it.each<["fail" | "resume", string]>([
    ["fail", "interrupted"],
    ["resume", "interrupted, since it is not known what its owner may do now"],
  ])("is stored so before anybody is told, with `%s`: %s", async (recover) => {
    const ends = gate<void>()
    const { recovery, host, record, kept, put, pass, troupe } = newStart({
      recover,
      through: (double) => ({
        ...double,
        updateStored: (id, change) => ends.passed.then(() => double.updateStored(id, change)),
      }),
    })
    put({ stored: { ownerAgent: "build" } })
    host.agents = async () => failed("busy")
    const told: string[] = []
    troupe.records.subscribe(({ state }) => void told.push(`${state}, stored as ${kept().record.state}`))
    const looked = recovery.owner("owner")
    await pass(100)
    expect(record()).toBeUndefined()
    ends.open()
    await looked
    expect(told).toEqual(["failed, stored as failed"])
  })

  it("has failed though opencode does not store it, after a few seconds", async () => {
    const answered = gate<Result<unknown>>()
    const { recovery, record, put, pass } = newStart({
      through: (double) => ({ ...double, updateStored: () => answered.passed }),
    })
    put()
    void recovery.owner("owner")
    await pass(5_000)
    expect(record()).toMatchObject({ state: "failed", error: { kind: "interrupted" } })
    answered.open(failed("gone", 404))
  })

  it("leaves what its own child had started, which ends likewise", async () => {
    const { recovery, put, record } = newStart()
    put()
    put({ id: "inner", owner: "ses_1" })
    await recovery.owner("owner")
    expect(record("inner", "ses_1")).toMatchObject({ state: "failed", error: { kind: "interrupted" } })
  })

  it("is done where its answer is there", async () => {
    const { recovery, host, record, put } = newStart()
    put()
    host.said.set("ses_1", [askedBy(asked), answerTo(asked, "the answer")])
    await recovery.owner("owner")
    expect(record()).toMatchObject({ state: "done", text: "the answer", run: 1 })
  })

  it("goes on where it is to be resumed: asked under the ids of before", async () => {
    const { recovery, host, record, kept, put, pass } = newStart({ recover: "resume" })
    put()
    await recovery.owner("owner")
    await pass(0)
    expect(record()?.batch).toBe("batch-1")
    const { messageID } = asked
    expect(host.prompts.map(({ prompt }) => prompt)).toMatchObject([{ session: "ses_1", messageID }])
    expect(kept().lease).toEqual(own)
  })

  it("is left to the process that took it between the look and the claim", async () => {
    const { recovery, host, record, kept, put, pass, alive } = newStart({ recover: "resume" })
    put()
    host.messages = async () => {
      alive.add("quicker")
      put({ stored: { lease: leaseOf("quicker") } })
      return ok([])
    }
    await recovery.owner("owner")
    await pass(longEnough)
    expect([record(), host.prompts]).toEqual([undefined, []])
    expect(kept().lease).toEqual(leaseOf("quicker"))
  })

  it("is looked at again where that process has ended too", async () => {
    const { recovery, host, record, put, pass, alive } = newStart({ recover: "resume" })
    put()
    const { messages } = host
    host.messages = async () => {
      host.messages = messages
      alive.add("quicker")
      put({ stored: { lease: leaseOf("quicker") } })
      return ok([])
    }
    await recovery.owner("owner")
    alive.delete("quicker")
    await pass(30_000)
    expect(record()).toMatchObject({ state: "prompting" })
  })

  it("is claimed later where it could not be now", async () => {
    const outcomes = ["unknown", "another's", "taken"] as const
    let asked = 0
    const claims: Claims = { claim: async () => [outcomes[asked++] ?? "taken"] }
    const { recovery, record, put, pass } = newStart({ recover: "resume", claims })
    put()
    await recovery.owner("owner")
    expect(record()).toBeUndefined()
    await pass(30_000)
    expect(record()).toMatchObject({ state: "prompting" })
    expect(asked).toBe(3)
  })

  it("is started once by two looks at once", async () => {
    const { recovery, host, put, pass } = newStart({ recover: "resume" })
    put()
    await Promise.all([recovery.everybody(), recovery.owner("owner")])
    await pass(0)
    expect(host.prompts).toHaveLength(1)
  })

  it("ends as was decided before, whatever it has answered since: a cancel is no interruption", async () => {
    const error = { kind: "cancelled" as const, message: "not needed" }
    const { recovery, record, host, put, kept, pass } = newStart({ recover: "resume" })
    put({ record: { state: "prompting", phase: "stopping", error, endedAt: 1_500_000 } })
    host.said.set("ses_1", [askedBy(asked), answerTo(asked, "the answer")])
    await recovery.owner("owner")
    expect(record()).toMatchObject({ state: "cancelled", error, endedAt: 1_500_000 })
    await pass(0)
    expect(kept().record).toMatchObject({ state: "cancelled" })
  })

  it("stays cancelled where it was cancelled before it was asked", async () => {
    const error = { kind: "cancelled" as const, message: "not needed" }
    const { recovery, record, host, put, pass } = newStart({ recover: "resume" })
    put({ record: { state: "cancelled", error, endedAt: 1_500_000 } })
    await recovery.everybody()
    await pass(longEnough)
    expect(record()).toMatchObject({ state: "cancelled", error })
    expect(host.prompts).toEqual([])
  })

  it("is one job where a request that came twice had made two sessions: the one that was used", async () => {
    const { recovery, host, troupe, put } = newStart()
    put({ updated: 9 })
    const twin = { ...newStoredJob(job, dead) }
    host.sessions.set("ses_twin", sessionOf("ses_twin", { parentID: "owner", metadata: { troupe: twin } }))
    await recovery.everybody()
    expect(troupe.records.of("owner").map(({ session }) => session)).toEqual(["ses_1"])
  })
})

describe("A job that goes on", () => {
  const everything = { permission: "*", pattern: "*", action: "allow" } as const
  const noEdits = { permission: "edit", pattern: "*", action: "deny" } as const
  /** The owner's agents, as a person has changed them while nothing ran. */
  const changed = async () =>
    okAgents(
      agentOf("build", [everything, noEdits], { mode: "primary" }),
      agentOf("free", [everything], { mode: "primary" }),
      agentOf("general", [everything]),
    )
  const mayEdit = (host: { sessions: HostDouble["sessions"] }, session = "ses_1") =>
    verdict([everything, ...(host.sessions.get(session)?.permission ?? [])], { ...noEdits })

  it.each([
    ["after a crash", { recover: "resume" }],
    ["after a reload", { isReload: true }],
  ] as const)("%s may no longer do what its owner may no longer do", async (_, setup) => {
    const { recovery, host, put } = newStart(setup)
    put({ stored: { ownerAgent: "build" } })
    host.agents = changed
    const { setRules } = host
    host.setRules = (...given) => {
      expect(host.prompts).toEqual([])
      return setRules(...given)
    }
    await recovery.everybody()
    expect(mayEdit(host)).toBe("deny")
    expect(host.prompts).toHaveLength(1)
  })

  it("keeps the rules that it had where its owner may still do as much", async () => {
    const { recovery, host, put } = newStart({ recover: "resume" })
    put({ stored: { ownerAgent: "free" } })
    host.agents = changed
    await recovery.everybody()
    expect(host.prompts).toHaveLength(1)
    expect(host.sessions.get("ses_1")?.permission).toBeUndefined()
  })

  it("is held to what the owner's owner may, where its owner is a child itself", async () => {
    const { recovery, host, put } = newStart({ recover: "resume" })
    put({ stored: { ownerAgent: "build" } })
    put({ id: "b", owner: "ses_1", stored: { ownerAgent: "general" } })
    host.agents = changed
    // Its owner's owner may not answer first.
    await recovery.owner("ses_1")
    expect(host.prompts.map(({ prompt }) => prompt.session)).toEqual(["ses_b"])
    expect(mayEdit(host, "ses_b")).toBe("deny")
  })

  const busy = async () => failed("busy")
  it.each<[string, (host: Host) => Partial<Host>, string]>([
    ["which agents there are", () => ({ agents: busy }), "(busy)"],
    [
      "what its owner's session may",
      ({ session }) => ({ session: (id) => (id === "owner" ? busy() : session(id)) }),
      "(busy)",
    ],
    ["whether its rules are set", () => ({ setRules: busy }), "(busy)"],
    [
      "what its owner's agent may, which is gone",
      () => ({ agents: async () => okAgents(agentOf("general")) }),
      'there is no agent "build" any more',
    ],
  ])("ends where opencode does not say %s, and is not asked", async (_, spoiled, why) => {
    const { recovery, host, record, put, kept, pass } = newStart({ isReload: true })
    put({ stored: { ownerAgent: "build" } })
    host.agents = changed
    host.isBusy = async () => ok(true)
    Object.assign(host, spoiled(host))
    await recovery.everybody()
    await pass(0)
    const error = {
      kind: "interrupted",
      message: expect.stringMatching(/^it was not resumed, .*agents_send/),
    }
    expect(record()).toMatchObject({ state: "failed", error })
    expect(record()?.error?.message).toContain(why)
    expect(kept().record).toMatchObject({ state: "failed", error })
    expect(host.prompts).toEqual([])
    // Its turn may have outlived the reload.
    expect(host.aborted).toEqual(["ses_1"])
  })
})

describe("A job that had ended", () => {
  /** What the owner's conversation holds once the result is delivered. */
  function delivery() {
    const { info, parts } = askedBy({ ...asked, session: "owner" })
    const metadata = { troupe: { delivered: [{ session: "ses_1", run: 1 }] } }
    return { info, parts: parts.map((part) => ({ ...part, metadata })) }
  }

  it("is known again, and its owner does not have it", async () => {
    const { recovery, record, inbox, put } = newStart()
    put({ record: done })
    await recovery.owner("owner")
    expect(record()).toMatchObject({ session: "ses_1", state: "done", endedAt: 1_500_000 })
    expect(record()).not.toHaveProperty("text")
    expect(inbox.undelivered("owner")).toHaveLength(1)
  })

  it("is not delivered again where the store or the conversation says that it was", async () => {
    const stored = newStart()
    stored.put({ record: done, stored: { deliveredRun: 1 } })
    await stored.recovery.owner("owner")
    expect(stored.inbox.undelivered("owner")).toEqual([])

    const held = newStart()
    held.put({ record: done })
    held.host.said.set("owner", [delivery()])
    await held.recovery.owner("owner")
    expect(held.inbox.undelivered("owner")).toEqual([])
  })

  it("is not delivered again where another opencode, which knows it too, has delivered it since", async () => {
    const { host, call, put, pass } = newStart()
    put({ record: done })
    expect((await call("agents_status", {})).output).toContain("a: done")
    host.said.set("owner", [delivery()])
    const waiting = call("agents_wait", {})
    await pass(1_000)
    expect((await waiting).output).toBe("No jobs are running, and all results have been delivered.")
  })

  it("is not delivered again either where that happens while its owner waits for other jobs", async () => {
    const { host, call, put, pass } = newStart()
    put({ record: done })
    await call("agents_start", { tasks: [{ id: "b", prompt: "work" }] })
    const waiting = call("agents_wait", {})
    await pass(0)
    host.said.set("owner", [delivery()])
    host.prompts[0]?.answer("the answer of b")
    await pass(1_000)
    expect((await waiting).output).toContain('<job id="b"')
    expect((await waiting).output).not.toContain('<job id="a"')
  })

  it("is not said to wait where its delivery had begun: that is finished, by this process or an attempt after", async () => {
    const asked: string[][] = []
    let failures = 1
    const { recovery, inbox, waiting, put, pass } = newStart({
      async finishBegun(owner, messages) {
        if (failures-- > 0) throw new Error("not now")
        asked.push([owner, ...messages.map(({ id }) => id)])
        inbox.markDelivered(owner, [{ session: "ses_1", run: 1 }])
      },
    })
    put({ record: done })
    await recovery.owner("owner")
    expect(inbox.undelivered("owner")).toHaveLength(1)
    await pass(10_000)
    expect(asked).toEqual([["owner"]])
    await recovery.everybody()
    expect(waiting).toEqual([])
  })

  it("is left to this process's own delivery where the plugin was only reloaded", async () => {
    const asked: string[] = []
    const { recovery, put } = newStart({
      isReload: true,
      finishBegun: async (owner) => void asked.push(owner),
    })
    put({ record: done })
    await recovery.everybody()
    expect(asked).toEqual([])
  })

  it("waits for its owner where an earlier run alone was delivered", async () => {
    const { recovery, inbox, waiting, put } = newStart()
    put({ record: { ...done, run: 2 }, stored: { deliveredRun: 1 } })
    await recovery.everybody()
    expect(inbox.undelivered("owner")).toMatchObject([{ run: 2 }])
    expect(waiting).toEqual([{ owner: "owner", count: 1 }])
  })

  it("is known once more where another process has run it again since", async () => {
    const { recovery, record, put, pass } = newStart()
    put({ record: done })
    await recovery.owner("owner")
    put({ record: { ...done, run: 2 } })
    await pass(longEnough)
    await recovery.owner("owner")
    expect(record()).toMatchObject({ run: 2 })
  })
})

describe("The look at a start", () => {
  it("takes in all that has ended, delivered or not, without a look at any message of a child", async () => {
    const read: string[] = []
    const { recovery, host, troupe, waiting, put } = newStart()
    const { messages } = host
    host.messages = (id) => {
      read.push(id)
      return messages(id)
    }
    put({ record: done, stored: { deliveredRun: 1 } })
    put({ id: "b", record: { ...done, createdAt: 7 } })
    put({ id: "c", owner: "another", record: done, stored: { deliveredRun: 1 } })
    await recovery.everybody()
    expect([...troupe.records.all()].map(({ id }) => id)).toEqual(["b", "a", "c"])
    // What its owner has is in its owner's own.
    expect(read).toEqual(["owner"])
    expect(waiting).toEqual([{ owner: "owner", count: 1 }])
  })

  it("says how many results wait for which owner, and nothing of those that nobody waits for", async () => {
    const { recovery, waiting, put } = newStart()
    put()
    put({ id: "b", record: done })
    put({ id: "c", owner: "another", record: done })
    put({ id: "d", owner: "content", record: done, stored: { deliveredRun: 1 } })
    // Of a job's own child, whose turn is over.
    put({ id: "inner", owner: "ses_1", record: done })
    await recovery.everybody()
    expect(waiting).toEqual([
      { owner: "owner", count: 2 },
      { owner: "another", count: 1 },
    ])
  })

  it("goes back a week", async () => {
    const since: number[] = []
    const { recovery, host } = newStart()
    const { sessionsSince } = host
    host.sessionsSince = (from) => {
      since.push(from)
      return sessionsSince(from)
    }
    vi.setSystemTime(8 * 24 * 3_600_000)
    await recovery.everybody()
    expect(since).toEqual([24 * 3_600_000])
  })

  it("names what it cannot read", async () => {
    const { recovery, host } = newStart()
    host.sessions.set("ses_2", sessionOf("ses_2", { metadata: { troupe: { version: 99 } } }))
    await recovery.everybody()
    expect(host.logged[0]).toMatch(
      /^warn: ses_2 was skipped .*: its record is damaged or somebody else.s \(version is 99: it must be \d\)$/,
    )
    expect(host.problems.all).toEqual([expect.stringContaining("may be of a newer version")])
  })

  it.each([
    ["id", { id: 'a" state="done">\u001b[2J' }],
    ["id", { id: "x".repeat(41) }],
    ["run", { run: 1e15 }],
    ["createdAt", { createdAt: Number.MAX_SAFE_INTEGER }],
  ])("leaves out what no job has, and names it: %s in %j", async (field, record) => {
    const { recovery, host, troupe, put } = newStart()
    put({ id: "b", record: done })
    put({ record: { ...done, ...record } })
    await recovery.everybody()
    expect([...troupe.records.all()].map(({ id }) => id)).toEqual(["b"])
    expect(host.logged[0]).toContain(`ses_1 was skipped`)
    expect(host.logged[0]).toContain(`record.${field}`)
  })

  it("leaves alone a copy of a child, which is nobody's job", async () => {
    const { recovery, host, troupe, put, kept } = newStart()
    put({ record: done })
    const metadata = { troupe: { ...kept(), record: { ...kept().record, id: "copy" } } }
    host.sessions.set("ses_copy", sessionOf("ses_copy", { metadata }))
    await recovery.everybody()
    expect([...troupe.records.all()].map(({ id }) => id)).toEqual(["a"])
  })

  it("harms nothing where it meets a defect, which is named", async () => {
    const { recovery, host } = newStart()
    host.sessionsSince = async () => Promise.reject(new Error("a defect"))
    await recovery.everybody()
    expect(host.logged).toEqual([expect.stringContaining("a defect")])
  })
})

describe("A job under a lease whose holder lives", () => {
  const working: Put = { stored: { lease: leaseOf("other") } }
  const unread: Put = { record: done, stored: { lease: leaseOf("other") } }

  it.each([
    ["at work", working],
    ["ended and not delivered", unread],
  ])("is its holder's: one that is %s", async (_, given) => {
    const { recovery, inbox, troupe, host, waiting, put, kept, pass } = newStart({ living: ["other"] })
    put(given)
    const before = kept()
    await recovery.everybody()
    await recovery.owner("owner")
    await pass(longEnough)
    expect([[...troupe.records.all()], inbox.undelivered("owner"), waiting, host.prompts]).toEqual([
      [],
      [],
      [],
      [],
    ])
    expect(kept()).toEqual(before)
  })

  it.each([
    ["at work", working, "failed"],
    ["ended and not delivered", unread, "done"],
  ])(
    "is looked at again when its holder has ended, and not before: one that is %s",
    async (_, given, state) => {
      const { recovery, record, waiting, put, pass, alive } = newStart({ living: ["other"] })
      put(given)
      await recovery.everybody()
      await pass(longEnough)
      expect(record()).toBeUndefined()
      alive.delete("other")
      await pass(5_000)
      expect(record()).toMatchObject({ state })
      expect(waiting).toEqual([{ owner: "owner", count: 1 }])
    },
  )

  it("is looked at again though another holder lives on, and that one's when it has ended as well", async () => {
    const { recovery, record, put, pass, alive } = newStart({ living: ["one", "two"] })
    put({ stored: { lease: leaseOf("one") } })
    put({ id: "b", stored: { lease: leaseOf("two") } })
    await recovery.everybody()
    alive.delete("two")
    await pass(5_000)
    expect([record("a"), record("b")?.state]).toEqual([undefined, "failed"])
    alive.delete("one")
    await pass(5_000)
    expect(record("a")).toMatchObject({ state: "failed" })
  })

  it("is found by an owner's look too, which is made again at the next call", async () => {
    const { recovery, record, put, alive } = newStart({ living: ["other"] })
    await recovery.everybody()
    put(working)
    await recovery.owner("owner")
    expect(record()).toBeUndefined()
    alive.delete("other")
    await recovery.owner("owner")
    expect(record()).toMatchObject({ state: "failed" })
  })
})

describe("Two jobs of one owner to which two opencodes have given the same id", () => {
  /** Each with a key of its own, as every job has. */
  function putBoth({ put, host }: ReturnType<typeof newStart>, record: Partial<StoredRecord>, lease = dead) {
    put({ record, stored: { key: "one" } })
    put({ id: "twin", record: { ...record, id: "a", createdAt: askedAt + 5 }, stored: { key: "two", lease } })
    for (const session of ["ses_1", "ses_twin"])
      host.said.set(session, [answerTo({ ...asked, session }, `the answer of ${session}`)])
  }
  const textsOf = async ({ call }: ReturnType<typeof newStart>, id: string) =>
    (await call("agents_wait", { ids: [id] })).output

  it.each(["owner", "everybody"] as const)(
    "are both there, the later one under an id of its own, which it keeps: found by `%s`",
    async (look) => {
      const start = newStart()
      const { recovery, troupe, kept, pass } = start
      putBoth(start, done)
      await recovery[look]("owner")
      expect(troupe.records.of("owner").map(({ id, session }) => [id, session])).toEqual([
        ["a", "ses_1"],
        ["a-2", "ses_twin"],
      ])
      expect(await textsOf(start, "a")).toContain("the answer of ses_1")
      expect(await textsOf(start, "a-2")).toContain("the answer of ses_twin")
      await pass(longEnough)
      expect([kept("ses_1").record.id, kept("ses_twin").record.id]).toEqual(["a", "a-2"])
    },
  )

  it("are both there though one of them is this process's own", async () => {
    const start = newStart()
    const { recovery, troupe, host, put, pass } = start
    troupe.start({ ...job, createdAt: askedAt + 9 })
    await pass(0)
    put({ id: "twin", record: { ...done, id: "a" } })
    host.said.set("ses_twin", [answerTo({ ...asked, session: "ses_twin" }, "the answer of the other")])
    await recovery.owner("owner")
    expect(troupe.records.of("owner").map(({ id, state }) => [id, state])).toEqual([
      ["a", "prompting"],
      ["a-2", "done"],
    ])
    expect(await textsOf(start, "a-2")).toContain("the answer of the other")
  })

  it("both go on where they are to be resumed", async () => {
    const start = newStart({ recover: "resume" })
    const { recovery, record, host, kept, pass } = start
    putBoth(start, {})
    host.said.clear()
    await recovery.owner("owner")
    await pass(longEnough)
    expect([record("a")?.session, record("a-2")?.session]).toEqual(["ses_1", "ses_twin"])
    expect(kept("ses_twin")).toMatchObject({ record: { id: "a-2" }, lease: own })
    expect(host.prompts).toHaveLength(2)
  })

  it("both end where they are not, each stored under its own id", async () => {
    const start = newStart()
    const { recovery, record, kept, pass } = start
    putBoth(start, {})
    await recovery.owner("owner")
    await pass(longEnough)
    expect([record("a")?.session, record("a-2")?.session]).toEqual(["ses_1", "ses_twin"])
    expect([kept("ses_1").record.id, kept("ses_twin").record.id]).toEqual(["a", "a-2"])
  })

  it("are one where one call reached opencode twice", async () => {
    const { recovery, troupe, put } = newStart()
    put({ stored: { key: "one" } })
    put({ id: "twin", record: { id: "a" }, stored: { key: "one" }, updated: 1 })
    await recovery.owner("owner")
    expect(troupe.records.of("owner").map(({ id, session }) => [id, session])).toEqual([["a", "ses_1"]])
  })
})

describe("The jobs of an owner that another opencode has", () => {
  const theirs = { lease: { ...leaseOf("other"), pid: 4711 } }

  it("are known as such while they run and until their results are delivered, and no longer", async () => {
    const { recovery, put, alive } = newStart({ living: ["other"] })
    put({ stored: theirs })
    put({ id: "b", record: done, stored: theirs })
    put({ id: "c", record: done, stored: { ...theirs, deliveredRun: 1 } })
    put({ id: "d", record: done })
    await recovery.owner("owner")
    expect(recovery.elsewhere("owner")).toEqual([
      { id: "a", pid: 4711, isRunning: true },
      { id: "b", pid: 4711, isRunning: false },
    ])
    alive.delete("other")
    await recovery.owner("owner")
    expect(recovery.elsewhere("owner")).toEqual([])
  })

  it("are looked for again where nothing was found before", async () => {
    const { recovery, put } = newStart({ living: ["other"] })
    await recovery.owner("owner")
    put({ stored: theirs })
    await recovery.owner("owner")
    expect(recovery.elsewhere("owner")).toEqual([])
    await recovery.again("owner")
    expect(recovery.elsewhere("owner")).toMatchObject([{ id: "a" }])
  })
})

describe("The jobs of an owner that may be another instance's of the same process", () => {
  /** Another instance has them, until it ends. */
  function beside() {
    const there = { hasThem: true, end: () => {} }
    const start = newStart({
      owners: {
        isHere: async () => !there.hasThem,
        onLeft: (hear) => {
          there.end = hear
        },
      },
    })
    start.put()
    start.put({ id: "b", record: done })
    return { ...start, there }
  }

  it("are left to that one, at the start and when they are asked for", async () => {
    const { recovery, record, waiting } = beside()
    await recovery.everybody()
    await recovery.owner("owner")
    expect([record("a"), record("b"), waiting]).toEqual([undefined, undefined, []])
  })

  it("are this one's at the next call, once that one has ended", async () => {
    const { recovery, record, there } = beside()
    await recovery.owner("owner")
    there.hasThem = false
    await recovery.owner("owner")
    expect([record("a")?.state, record("b")?.state]).toEqual(["failed", "done"])
  })

  it("are this one's without a call where no other instance has taken them after a while", async () => {
    const { recovery, record, there, pass } = beside()
    await recovery.everybody()
    there.hasThem = false
    there.end()
    await pass(1_000)
    expect(record("b")).toBeUndefined()
    await pass(10_000)
    expect([record("a")?.state, record("b")?.state]).toEqual(["failed", "done"])
  })

  it("are brought back with all that their children have started, though their owner works elsewhere", async () => {
    const elsewhere = (double: Host): Host => ({ ...double, sessionsSince: async () => ok({ sessions: [] }) })
    const { recovery, put, record } = newStart({
      isReload: true,
      owners: { left: () => ["owner"] },
      through: elsewhere,
    })
    put({ stored: { mayStartJobs: true } })
    put({ id: "inner", owner: "ses_1" })
    await recovery.everybody()
    expect([record("a")?.state, record("inner", "ses_1")?.state]).toEqual(["prompting", "prompting"])
  })
})

describe("The look for an owner's jobs", () => {
  /** Counts how often the owner's children are asked for. */
  function counted(setup: Setup = {}) {
    const start = newStart(setup)
    const looks: string[] = []
    const { children } = start.host
    start.host.children = (id) => {
      looks.push(id)
      return children(id)
    }
    return { ...start, looks }
  }

  it("is taken once, however many ask for it", async () => {
    const { recovery, looks } = counted()
    await Promise.all([recovery.owner("owner"), recovery.owner("owner")])
    await recovery.owner("owner")
    expect(looks).toEqual(["owner"])
  })

  it("is taken again after a while: another process may have left something since", async () => {
    const { recovery, looks, put, record, pass } = counted()
    await recovery.owner("owner")
    put({ record: done })
    await pass(longEnough)
    await recovery.owner("owner")
    expect(looks).toEqual(["owner", "owner"])
    expect(record()).toMatchObject({ state: "done" })
  })

  it("is forgotten with its owner", async () => {
    const { recovery, looks, troupe, put } = counted()
    put({ record: done })
    await recovery.owner("owner")
    troupe.forgetOwner("owner")
    await recovery.owner("owner")
    expect(looks).toEqual(["owner", "owner"])
  })

  it.each(["sessionsSince", "children", "messages"] as const)(
    "is made again until opencode answers, where `%s` failed",
    async (name) => {
      const { recovery, host, put, record, pass } = newStart()
      put()
      Object.assign(host, { [name]: flaky(host[name]) })
      await recovery.everybody()
      expect(record()).toBeUndefined()
      await pass(longEnough)
      expect(record()).toMatchObject({ state: "failed", error: { kind: "interrupted" } })
    },
  )

  it.each(["sessionsSince", "children"] as const)(
    "is made again for a child that `%s` could not read, whose siblings are there at once",
    async (name) => {
      const { recovery, host, put, pass, troupe } = newStart()
      for (const id of ["a", "b"]) put({ id, record: done, stored: { deliveredRun: 1 } })
      const read: (given: never) => Promise<Result<FoundSessions>> = host[name]
      let isUnread = true
      host[name] = async (given: never) => {
        const found = await read(given)
        if (!isUnread || !found.ok) return found
        const sessions = found.value.sessions.filter(({ id }) => id !== "ses_b")
        return ok({ sessions, unread: { message: "database is locked" } })
      }
      await (name === "children" ? recovery.owner("owner") : recovery.everybody())
      expect([...troupe.records.all()].map(({ id }) => id)).toEqual(["a"])
      isUnread = false
      await pass(longEnough)
      expect([...troupe.records.all()].map(({ id }) => id)).toEqual(["a", "b"])
    },
  )

  it("is made again after pauses that grow, of a minute at most", async () => {
    const { recovery, host, pass } = newStart()
    const times: number[] = []
    host.children = async () => {
      times.push(Date.now())
      return failed("not now", 503)
    }
    await recovery.owner("owner")
    await pass(longEnough)
    const pauses = times.slice(1).map((time, index) => (time - (times[index] ?? 0)) / 1_000)
    expect(pauses.slice(0, 7)).toEqual([2, 4, 8, 16, 32, 60, 60])
  })

  it("is not made again of what is gone", async () => {
    const { recovery, host, looks, pass } = counted()
    host.children = async (id) => {
      looks.push(id)
      return failed("no such session", 404)
    }
    await recovery.owner("owner")
    await pass(longEnough)
    expect(looks).toEqual(["owner"])
  })

  it("is not made again once the plugin is closed, though it fails then", async () => {
    const { recovery, host, looks, pass } = counted()
    host.children = async (id) => {
      looks.push(id)
      recovery.stop()
      return failed("not now", 503)
    }
    await recovery.owner("owner")
    await pass(longEnough)
    expect(looks).toEqual(["owner"])
    expect(vi.getTimerCount()).toBe(0)
  })

  it("leaves alone what this process has done meanwhile", async () => {
    const looks: Result<FoundSessions>[] = [failed("not now")]
    const { recovery, troupe, host, pass, put } = newStart()
    host.children = async () =>
      looks.shift() ?? ok({ sessions: [...host.sessions.values()].map(decodeSession) })
    put()
    await recovery.owner("owner")
    expect(host.logged).toEqual([expect.stringContaining("not now")])
    troupe.start({ ...job, id: "mine" })
    await pass(0)
    host.prompts[0]?.answer("mine alone")
    await pass(longEnough)
    expect(troupe.records.get("owner", "mine")).toMatchObject({ state: "done", text: "mine alone" })
    expect(troupe.records.get("owner", "a")).toMatchObject({ state: "failed" })
  })

  it("harms nobody who waits for it where it meets a defect, which is named", async () => {
    const { recovery, host } = newStart()
    host.children = async () => Promise.reject(new Error("a defect"))
    await recovery.owner("owner")
    expect(host.logged).toEqual([expect.stringContaining("a defect")])
  })
})

describe("A job that waited for others when its process ended", () => {
  const needs = [{ id: "a", on: "done" as const }]
  const waiting = { id: "b", record: { needs } }
  const last = { id: "c", record: { needs: [{ id: "b", on: "done" as const }] } }
  const failedRecord = { state: "failed", endedAt: 1, error: { kind: "provider", message: "401" } } as const
  const stateOf = (record?: JobRecord) => ({ state: record?.state, phase: record?.phase })

  describe("where jobs are resumed", () => {
    it("waits on, whichever is brought back first, and begins once with the result", async () => {
      const { recovery, host, record, put, pass } = newStart({ recover: "resume" })
      put(waiting)
      put(last)
      put()
      await recovery.owner("owner")
      expect(["a", "b", "c"].map((id) => stateOf(record(id)))).toEqual([
        { state: "prompting", phase: "working" },
        { state: "created", phase: "blocked" },
        { state: "created", phase: "blocked" },
      ])
      host.prompts[0]?.answer("of a")
      await pass(0)
      expect(host.prompts.map(({ prompt }) => prompt.session)).toEqual(["ses_1", "ses_b"])
      expect(host.prompts[1]?.prompt.text).toContain("of a")
    })

    it("begins where what it needs had ended, and nobody had told it", async () => {
      const { recovery, host, put, pass } = newStart({ recover: "resume" })
      put({ record: done })
      host.said.set("ses_1", [askedBy(asked), answerTo(asked, "of a")])
      put(waiting)
      await recovery.everybody()
      await pass(0)
      expect(host.prompts.map(({ prompt }) => prompt.session)).toEqual(["ses_b"])
      expect(host.prompts[0]?.prompt.text).toContain("of a")
    })

    it("goes on at once where its child was asked before, though what it needs runs again", async () => {
      const { recovery, host, record, put, pass } = newStart({ recover: "resume" })
      put({ record: { run: 2 } })
      put(waiting)
      const prompt = { ...asked, session: "ses_b", messageID: promptID("ses_b", askedAt) }
      host.said.set("ses_b", [askedBy(prompt)])
      await recovery.owner("owner")
      await pass(0)
      expect(stateOf(record("b"))).toEqual({ state: "prompting", phase: "working" })
    })

    it("fails with what it needs", async () => {
      const { recovery, record, kept, put, pass } = newStart({ recover: "resume" })
      put(waiting)
      put(last)
      put({ record: failedRecord })
      await recovery.owner("owner")
      await pass(0)
      expect(record("c")?.error).toEqual({
        kind: "dependency",
        message: "it needs b, which failed: it needs a, which failed: 401",
      })
      expect(kept("ses_c").record.state).toBe("failed")
    })

    it("fails where what it needs is gone with its session", async () => {
      const { recovery, record, put, pass } = newStart({ recover: "resume" })
      put(waiting)
      await recovery.owner("owner")
      await pass(0)
      expect(record("b")?.error?.message).toBe("it needs a, which is gone with its session")
    })

    it("waits while opencode does not say what became of that", async () => {
      const { recovery, host, record, put, pass } = newStart({ recover: "resume" })
      put(waiting)
      put()
      const { messages } = host
      host.messages = async (id) => (id === "ses_1" ? failed("busy") : messages(id))
      await recovery.owner("owner")
      await pass(0)
      expect(stateOf(record("b"))).toEqual({ state: "created", phase: "blocked" })
      host.messages = messages
      host.said.set("ses_1", [askedBy(asked), answerTo(asked, "of a")])
      await pass(5_000)
      expect(stateOf(record("b"))).toEqual({ state: "prompting", phase: "working" })
    })

    it("that stands for items starts none again that was there before, and those that were not", async () => {
      const { recovery, host, record, put, pass } = newStart({ recover: "resume" })
      const each = { from: "scan", timeoutMs: 60_000, idleMs: 60_000 }
      put({
        id: "files",
        record: { needs: [{ id: "scan", on: "done" }] },
        stored: { prompt: "read {{item}}", each },
      })
      put({ id: "files.1", record: done, stored: { askedAt: askedAt + 1 } })
      put({ id: "scan", record: { ...done, structured: ["x", "y"] } })
      await recovery.owner("owner")
      await pass(5_000)
      expect(host.prompts.map(({ prompt }) => prompt.text)).toEqual(["read y"])
      host.prompts[0]?.answer("of y")
      await pass(0)
      expect(record("files")).toMatchObject({ state: "done", text: "2 of 2 items are done." })
    })

    it("that stood for items still says what they came to, delivered or not", async () => {
      const { recovery, inbox, record, put } = newStart()
      put({ id: "files", record: { ...done, isGroup: true }, stored: { text: "2 of 2 items are done." } })
      await recovery.owner("owner")
      expect(record("files")?.text).toBe("2 of 2 items are done.")
      inbox.markDelivered("owner", [{ session: "ses_files", run: 1 }])
      expect(record("files")?.text).toBe("2 of 2 items are done.")
    })

    it("goes on where it had failed of one that is done by now", async () => {
      const { recovery, host, record, put, pass } = newStart({ recover: "resume" })
      put({ record: { ...done, run: 2 } })
      const error = { kind: "dependency", message: "it needs a, which failed" } as const
      put({ ...waiting, record: { needs, state: "failed", endedAt: 1, error } })
      await recovery.owner("owner")
      await pass(0)
      expect(record("b")).toMatchObject({ run: 2, state: "prompting" })
      expect(host.prompts.map(({ prompt }) => prompt.session)).toEqual(["ses_b"])
    })
  })

  describe("where jobs are not resumed", () => {
    it("fails with what it needs, by the chain, and none is asked anything", async () => {
      const { recovery, host, record, kept, put, pass } = newStart()
      put(last)
      put(waiting)
      put()
      await recovery.owner("owner")
      await pass(0)
      expect(record("c")?.error?.message).toMatch(
        /^it needs b, which failed: it needs a, which failed: opencode ended while it ran/,
      )
      expect(kept("ses_c").record).toMatchObject({ state: "failed", error: { kind: "dependency" } })
      expect(host.prompts).toEqual([])
    })

    it("is interrupted where what it needs was done, and is asked all of it when it is continued", async () => {
      const { recovery, host, record, put, pass, call } = newStart()
      put({ record: done })
      host.said.set("ses_1", [askedBy(asked), answerTo(asked, "of a")])
      put(waiting)
      await recovery.owner("owner")
      expect(record("b")).toMatchObject({ state: "failed", error: { kind: "interrupted" } })
      await call("agents_send", { id: "b", message: "Go on." })
      await pass(0)
      expect(host.prompts[0]?.prompt.text).toMatch(/of a\n.*Look around\.\n\nGo on\.$/s)
    })

    it("fails where what it needs is gone, once that is certain", async () => {
      const { recovery, host, record, put, pass } = newStart()
      put(waiting)
      put({ id: "x" })
      const { messages } = host
      host.messages = async (id) => (id === "ses_x" ? failed("busy") : messages(id))
      await recovery.owner("owner")
      expect(record("b")).toBeUndefined()
      host.messages = messages
      await pass(longEnough)
      expect(record("b")?.error?.message).toBe("it needs a, which is gone with its session")
    })

    it("waits on for one that goes on, as after a reload", async () => {
      const { recovery, host, record, put, pass } = newStart({ isReload: true })
      put(waiting)
      put()
      await recovery.owner("owner")
      expect(stateOf(record("b"))).toEqual({ state: "created", phase: "blocked" })
      host.prompts[0]?.answer("of a")
      await pass(0)
      expect(host.prompts.map(({ prompt }) => prompt.session)).toEqual(["ses_1", "ses_b"])
    })

    it("stays failed where it had failed of one that is done by now: its owner may send it a message", async () => {
      const { recovery, host, put, pass } = newStart()
      put({ record: { ...done, run: 2 } })
      const error = { kind: "dependency", message: "it needs a, which failed" } as const
      put({ ...waiting, record: { needs, state: "failed", endedAt: 1, error } })
      await recovery.owner("owner")
      await pass(0)
      expect(host.prompts).toEqual([])
    })
  })
})
