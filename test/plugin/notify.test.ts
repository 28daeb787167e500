import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { Host, NewPrompt } from "../../src/plugin/host.ts"
import { createNotifier } from "../../src/plugin/notify.ts"
import { atDesk } from "./support/desk.ts"
import { failed, type HostDouble, ok } from "./support/host-double.ts"
import { askedBy } from "./support/opencode-data.ts"

/** Longer than the window in which ends are joined, and than five pauses before another try. */
const longEnough = 10 * 60_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Setup = {
  /** Takes the place of the calls that telling makes. */
  faults?: (host: HostDouble) => Partial<Host>
  notify?: "idle" | "never"
}

/** An owner that has said something and has one job at work. */
async function ownerWithJob({ faults = () => ({}), notify = "idle" }: Setup = {}) {
  const posted: NewPrompt[] = []
  const desk = atDesk({
    post: async (message) => {
      posted.push(message)
      return ok(undefined)
    },
  })
  const { host, troupe, inbox } = desk
  const words = { session: "owner", messageID: "msg_1", partID: "prt_1", text: "hello" }
  host.said.set("owner", [askedBy({ ...words, agent: "plan", model: "fake/m2" })])
  const notifier = createNotifier({
    host: { ...host, ...faults(host) },
    troupe,
    inbox,
    notify,
    now: Date.now,
  })
  onTestFinished(() => notifier.stop())
  await desk.call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
  await vi.advanceTimersByTimeAsync(0)
  const finish = async () => {
    host.prompts.at(-1)?.answer("the answer")
    await vi.advanceTimersByTimeAsync(0)
  }
  return { ...desk, posted, notifier, finish }
}

/** Fails so often, then does what the host does. */
function failing<Call extends (...args: never[]) => Promise<unknown>>(times: number, call: Call) {
  const tries: number[] = []
  const flaky = async (...args: Parameters<Call>) => {
    tries.push(Date.now())
    return tries.length <= times ? failed("not now", 503) : call(...args)
  }
  return { tries, call: flaky as Call }
}

describe("a notification", () => {
  it("goes once to an idle owner, in its own agent and model, and marks the result as read", async () => {
    const { posted, finish, inbox } = await ownerWithJob()
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toMatchObject([{ session: "owner", agent: "plan", model: "fake/m2", synthetic: true }])
    expect(posted[0]?.text).toContain("the answer")
    expect(inbox.unread("owner")).toEqual([])
  })

  it.each(["post", "messages", "statuses"] as const)(
    "is tried again at growing pauses while opencode fails at `%s`, and goes once",
    async (method) => {
      const tries: number[][] = []
      const { posted, finish } = await ownerWithJob({
        faults: (host) => {
          const flaky = failing<Host[typeof method]>(5, host[method])
          tries.push(flaky.tries)
          return { [method]: flaky.call }
        },
      })
      await finish()
      await vi.advanceTimersByTimeAsync(longEnough)
      expect(posted).toHaveLength(1)
      const [times = []] = tries
      const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
      expect(pauses.slice(0, 5)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000])
    },
  )

  it("waits while the owner works, even where its beginning was not seen, and goes when its turn is over", async () => {
    let status = "busy"
    const { posted, finish, notifier } = await ownerWithJob({
      faults: () => ({ statuses: async () => ok({ owner: { type: status } }) }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    status = "idle"
    notifier.turn("owner", false)
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
  })

  it("does not go for what the owner read itself meanwhile", async () => {
    const { call, finish, posted } = await ownerWithJob()
    await finish()
    await call("agents_wait", { ids: ["a"] })
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("is given up for an owner that is gone", async () => {
    const flaky: { tries: number[] }[] = []
    const { finish, posted } = await ownerWithJob({
      faults: () => {
        const gone = { tries: [] as number[] }
        flaky.push(gone)
        return {
          messages: async () => {
            gone.tries.push(Date.now())
            return failed("no such session", 404)
          },
        }
      },
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    expect(flaky[0]?.tries).toHaveLength(1)
  })

  it("never goes where the option says so", async () => {
    const { finish, posted } = await ownerWithJob({ notify: "never" })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })
})
