import { describe, expect, it, onTestFinished, vi } from "vitest"
import { Ledger } from "../../../src/machines/ledger.ts"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { failedBy, followDependents } from "../../../src/plugin/children/dependents.ts"

function record(id: string, fields: Partial<JobRecord> = {}): JobRecord {
  return {
    id,
    owner: "owner",
    session: `ses_${id}`,
    description: id,
    agent: "general",
    state: "done",
    run: 1,
    createdAt: 1,
    usage: NO_USAGE,
    ...fields,
  }
}
const error = { kind: "dependency", message: "it needs another" } as const
const needs = (...ids: string[]) => ids.map((id) => ({ id, on: "done" as const }))
/** Failed because of what it needs. */
const failed = (id: string, ...ids: string[]) => record(id, { state: "failed", error, needs: needs(...ids) })
const cancelled = (id: string) =>
  record(id, { state: "cancelled", error: { kind: "cancelled", message: "no use" } })
const running = (id: string, fields: Partial<JobRecord> = {}) =>
  record(id, { state: "prompting", phase: "working", run: 2, ...fields })
const files = record("files", { state: "failed", error, needs: needs("scan"), isGroup: true })

describe("The jobs that one has failed", () => {
  it("are those that need it, with those that these have failed, each once", () => {
    const all = [cancelled("a"), record("x"), failed("b", "x", "a"), failed("c", "a", "b"), failed("d", "c")]
    expect(failedBy(all, "a")).toEqual(["b", "c", "d"])
    expect(failedBy(all, "d")).toEqual([])
  })

  it("are none that failed for a reason of their own, were cancelled themselves, or need something else", () => {
    const provider = { kind: "provider", message: "no" } as const
    const all = [
      cancelled("a"),
      record("own", { state: "failed", error: provider, needs: needs("a") }),
      record("unsaid", { state: "failed", needs: needs("a") }),
      record("ended", { state: "cancelled", error, needs: needs("a") }),
      record("done", { needs: needs("a") }),
      failed("other", "x"),
      record("never", { state: "failed", error }),
      { ...failed("sessionless", "a"), session: "" },
    ]
    expect(failedBy(all, "a")).toEqual([])
  })

  it("have the job among them that stands for it and others, and who needs that", () => {
    const all = [files, cancelled("files.1"), failed("sum", "files")]
    expect(failedBy(all, "files.1")).toEqual(["files", "sum"])
  })
})

/** What follows the jobs of an owner, where those begin that are to go on once the test lets them. */
function followed(...records: JobRecord[]) {
  const defects: unknown[] = []
  const ledger = new Ledger((error) => void defects.push(error))
  onTestFinished(() => expect(defects).toEqual([]))
  for (const each of records) ledger.put(each)
  const begun: { id: string; resolve: () => void; reject: (error: Error) => void }[] = []
  const warn = vi.fn<(message: string) => void>()
  const dependents = followDependents({
    records: ledger,
    messenger: {
      goOn: ({ id }) => new Promise((resolve, reject) => void begun.push({ id, resolve, reject })),
    },
    warn,
  })
  return {
    ...dependents,
    ledger,
    warn,
    begun,
    goneOn: () => begun.map(({ id }) => id),
    yetToGoOn: () => [...dependents.goingOn("owner")].map(({ id }) => id),
  }
}

describe("Jobs that a need has failed", () => {
  it("go on as soon as that is done after all, with those of them that need each other", () => {
    const { ledger, goneOn } = followed(running("a"), record("x"), failed("b", "a", "x"), failed("c", "b"))
    expect(goneOn()).toEqual([])
    ledger.put(record("a", { run: 2 }))
    expect(goneOn()).toEqual(["b", "c"])
  })

  it("stay as they are where it ends otherwise, or another need of theirs is broken or gone", () => {
    const all = [
      running("a"),
      cancelled("x"),
      failed("b", "a", "x"),
      failed("c", "b"),
      failed("d", "a", "no"),
    ]
    const { ledger, goneOn } = followed(...all, record("e", { state: "failed", error }))
    ledger.put(cancelled("a"))
    ledger.put(running("a"))
    ledger.put(record("a", { run: 3 }))
    expect(goneOn()).toEqual([])
  })

  it("stay as they are where nothing has just ended: a job of an earlier process, or one whose record changes", () => {
    const { ledger, goneOn } = followed(failed("b", "a"))
    ledger.put(record("a"))
    ledger.put(record("a"))
    expect(goneOn()).toEqual([])
  })

  it("go on when they are looked at, if none of their needs would fail them now", () => {
    const done = record("done", { needs: needs("a") })
    const { look, goneOn } = followed(record("a"), failed("b", "a"), failed("c", "no"), done, cancelled("e"))
    look("nobody")
    expect(goneOn()).toEqual([])
    look("owner")
    expect(goneOn()).toEqual(["b"])
  })

  it("go on where they need only the end of one that failed", () => {
    const b = { ...failed("b"), needs: [{ id: "a", on: "ended" as const }] }
    const { look, goneOn } = followed(cancelled("a"), b)
    look("owner")
    expect(goneOn()).toEqual(["b"])
  })

  it("go on together with the items that they stand for, not as long as one of those has failed", () => {
    const { ledger, look, goneOn } = followed(record("scan"), files, record("files.1"), cancelled("files.2"))
    look("owner")
    expect(goneOn()).toEqual([])
    ledger.put(running("files.2"))
    look("owner")
    expect(goneOn()).toEqual(["files"])
  })

  it("are yet to go on while what they need runs again, and so are those that need them, and no others", () => {
    const all = [running("a"), cancelled("x"), failed("b", "a"), failed("c", "b"), failed("d", "x")]
    expect(followed(...all).yetToGoOn()).toEqual(["b", "c"])
    expect(followed(record("a"), failed("b", "a")).yetToGoOn()).toEqual([])
  })

  it("are yet to go on until they have begun", async () => {
    const { ledger, yetToGoOn, begun } = followed(running("a"), failed("b", "a"), failed("c", "b"))
    ledger.put(record("a", { run: 2 }))
    expect(yetToGoOn()).toEqual(["b", "c"])
    for (const { resolve } of begun) resolve()
    await vi.waitFor(() => expect(yetToGoOn()).toEqual([]))
  })

  it("that cannot go on are said to a person, and to who waits for them, for as long as it does", async () => {
    const { ledger, yetToGoOn, begun, warn, onGivenUp } = followed(running("a"), failed("b", "a"))
    const givenUp = vi.fn<(owner: string) => void>()
    const waitNoMore = onGivenUp(givenUp)
    const fail = async () => {
      ledger.put(running("a"))
      ledger.put(record("a", { run: 2 }))
      begun.at(-1)?.reject(new Error("the disk is full"))
      await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(begun.length))
    }
    await fail()
    expect(warn).toHaveBeenCalledWith("b could not go on: the disk is full")
    expect(givenUp.mock.calls).toEqual([["owner"]])
    expect(yetToGoOn()).toEqual([])
    waitNoMore()
    await fail()
    expect(givenUp).toHaveBeenCalledOnce()
  })

  it("do not go on any more once nobody follows them", () => {
    const { ledger, goneOn, stop } = followed(running("a"), failed("b", "a"))
    stop()
    ledger.put(record("a", { run: 2 }))
    expect(goneOn()).toEqual([])
  })
})
