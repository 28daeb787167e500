import { beforeAll, describe, expect, it } from "vitest"
import { createActor, fromPromise } from "xstate"
import { rowsOf } from "../../../scripts/docs/transitions.ts"
import type { OwnerMessage } from "../../../src/plugin/host/port.ts"
import {
  type Composed,
  type Delivered,
  type DeliveryEvent,
  type DeliveryInput,
  deliveryMachine,
  deliveryReasons,
} from "../../../src/plugin/owners/delivery-machine.ts"
import { CountingClock } from "../../machines/support/counting-clock.ts"
import { settled } from "../../machines/support/play.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { transitionsOf } from "../../machines/support/transitions.ts"
import { drive, everyStep, type Step } from "./support/delivery-walk.ts"

quietXState()

describe("Every event in every state of a delivery", () => {
  const taken = new Set<string>()

  // Once with a real actor, and once through the pure machine with a snapshot that goes through JSON after every step.
  beforeAll(async () => {
    const fresh: Step = { from: "this process", steps: ["the window closes", "a message is composed"] }
    const stopped: Step = { from: "an interrupted turn", steps: ["a job ends", "a turn begins"] }
    for (const step of [fresh, stopped, ...everyStep("an earlier process")])
      for (const name of await drive(step)) taken.add(name)
  }, 60_000)

  it.each(transitionsOf(deliveryMachine))("takes %s, the same in life and on paper", (name) => {
    expect(taken).toContain(name)
  })
})

it("Each transition of a delivery has its reason, in a sentence", () => {
  for (const row of rowsOf(deliveryMachine, deliveryReasons)) expect(row.reason).toMatch(/^\S.+\.$/)
})

type Pending<Value> = { resolve(value: Value): void; reject(error: Error): void }

const pendingIn = <Value>(pending: Pending<Value>[]) =>
  new Promise<Value>((resolve, reject) => void pending.push({ resolve, reject }))

describe("A delivery", () => {
  const message = { session: "owner", messageID: "msg_1", text: "a is done", agent: "build", mark: {} }

  /** One whose two requests the test settles. */
  function delivery(from: DeliveryInput["from"]) {
    const clock = new CountingClock()
    const composing: Pending<Composed>[] = []
    const delivering: Pending<Delivered>[] = []
    const sent: OwnerMessage[] = []
    const machine = deliveryMachine.provide({
      actors: {
        compose: fromPromise<Composed, { owner: string }>(() => pendingIn(composing)),
        deliver: fromPromise<Delivered, OwnerMessage>(({ input }) => {
          sent.push(input)
          return pendingIn(delivering)
        }),
      },
    })
    const actor = createActor(machine, { input: { owner: "owner", from }, clock }).start()
    return {
      clock,
      sent,
      send: (...types: Exclude<DeliveryEvent["type"], `job.${string}`>[]) => {
        for (const type of types) actor.send({ type })
      },
      job: (type: "job.ended" | "job.resumed", job: string) => actor.send({ type, job }),
      adopt: () => actor.send({ type: "job.adopted" }),
      composed: async (composed: Composed) => {
        composing.at(-1)?.resolve(composed)
        await settled()
      },
      delivered: async (outcome: Delivered["outcome"] = "delivered") => {
        delivering.at(-1)?.resolve({ outcome })
        await settled()
      },
      isNotDelivered: async () => {
        delivering.at(-1)?.reject(new Error("opencode is away"))
        await settled()
      },
      fails: async () => {
        composing.at(-1)?.reject(new Error("opencode is away"))
        await settled()
      },
      get state() {
        return JSON.stringify(actor.getSnapshot().value).replaceAll('"', "")
      },
      get context() {
        return actor.getSnapshot().context
      },
    }
  }

  it("waits for the next use of the session while a job of an earlier process runs again", () => {
    const one = delivery("an earlier process")
    one.job("job.resumed", "a")
    one.job("job.resumed", "b")
    one.job("job.ended", "a")
    one.send("inbox.emptied")
    expect(one.state).toBe("dormant")
    one.job("job.ended", "b")
    expect(one.state).toBe("dormant")
    one.send("inbox.emptied")
    expect(one.state).toBe("quiet")
  })

  it("knows nothing of those any more once the session is in use", () => {
    const one = delivery("an earlier process")
    one.job("job.resumed", "a")
    one.send("owner.busy")
    expect([one.state, one.context.resumed]).toEqual(["busy", []])
  })

  it("goes out after a turn whose beginning was missed", () => {
    const one = delivery("an earlier process")
    one.send("owner.idle")
    expect(one.state).toBe("window")
  })

  it("has nothing more to say at first, and more once another result comes meanwhile", async () => {
    const one = delivery("this process")
    expect(one.context.hasMore).toBe(false)
    one.clock.increment(250)
    await one.composed({ outcome: "composed", message, hasMore: false })
    expect(one.state).toBe("{delivering:undisturbed}")
    one.adopt()
    await one.delivered()
    expect([one.state, one.context.message]).toEqual(["window", undefined])
  })

  it("waits for the rest of a batch as long as it is told, then looks again", async () => {
    const one = delivery("this process")
    one.clock.increment(250)
    await one.composed({ outcome: "early", waitMs: 5_000 })
    expect(one.state).toBe("gathering")
    one.adopt()
    one.clock.increment(4_999)
    expect(one.state).toBe("gathering")
    one.clock.increment(1)
    expect([one.state, one.context.gatherMs]).toEqual(["composing", 0])
  })

  it("looks again at once where a job has ended while it was found to be early, and when one ends later", async () => {
    const one = delivery("this process")
    one.clock.increment(250)
    one.job("job.ended", "a")
    await one.composed({ outcome: "early", waitMs: 5_000 })
    expect(one.state).toBe("window")
    one.clock.increment(250)
    await one.composed({ outcome: "early", waitMs: 5_000 })
    expect(one.state).toBe("gathering")
    one.job("job.ended", "b")
    expect(one.state).toBe("window")
  })

  it("is over where the owner fetches every result itself, before the message or during its turn", async () => {
    const waiting = delivery("this process")
    waiting.send("inbox.emptied")
    const busy = delivery("this process")
    busy.send("owner.busy", "inbox.emptied")
    const failed = delivery("this process")
    failed.clock.increment(250)
    await failed.fails()
    expect(failed.state).toBe("backoff")
    failed.send("inbox.emptied")
    expect([waiting.state, busy.state, failed.state]).toEqual(["quiet", "quiet", "quiet"])
  })

  it("is held from wherever the user stops the turn", async () => {
    const waiting = delivery("this process")
    const busy = delivery("this process")
    busy.send("owner.busy")
    const composing = delivery("this process")
    composing.clock.increment(250)
    const gathering = delivery("this process")
    gathering.clock.increment(250)
    await gathering.composed({ outcome: "early", waitMs: 5_000 })
    const failed = delivery("this process")
    failed.clock.increment(250)
    await failed.fails()
    for (const each of [waiting, busy, composing, gathering, failed]) {
      each.send("owner.interrupted")
      expect(each.state).toBe("held")
    }
  })

  it("counts its attempts anew after a turn", async () => {
    const one = delivery("this process")
    one.clock.increment(250)
    await one.fails()
    one.send("owner.busy")
    expect([one.state, one.context.attempt]).toEqual(["busy", 0])
  })

  it("waits for the next use of a session whose turn the user has just stopped", () => {
    const one = delivery("an interrupted turn")
    one.clock.increment(60_000)
    expect(one.state).toBe("held")
  })

  /** One that has composed a message. */
  async function underWay(hasMore = false) {
    const one = delivery("this process")
    one.clock.increment(250)
    await one.composed({ outcome: "composed", message, hasMore })
    return one
  }

  it.each<[Exclude<Composed["outcome"], "composed" | "early">, string]>([
    ["busy", "busy"],
    ["nothing", "quiet"],
    ["gone", "quiet"],
  ])("that finds its owner to be %s before there is a message is %s", async (outcome, state) => {
    const one = delivery("this process")
    one.clock.increment(250)
    await one.composed({ outcome })
    expect(one.state).toBe(state)
  })

  it.each<[Delivered["outcome"], string]>([
    ["delivered", "quiet"],
    ["busy", "composing"],
    ["gone", "quiet"],
  ])("whose message turns out to be %s is %s", async (outcome, state) => {
    const one = await underWay()
    expect(one.sent).toEqual([message])
    await one.delivered(outcome)
    expect(one.state).toBe(state)
  })

  it("is over once its owner is gone, whatever has ended meanwhile", async () => {
    const one = delivery("this process")
    one.clock.increment(250)
    const other = await underWay()
    for (const each of [one, other]) each.job("job.ended", "b")
    await one.composed({ outcome: "gone" })
    await other.delivered("gone")
    expect([one.state, other.state]).toEqual(["quiet", "quiet"])
  })

  it("has another message for what the first could not hold", async () => {
    const one = await underWay(true)
    await one.delivered()
    expect(one.state).toBe("window")
  })

  it("sends the same message again where that failed, whatever ends meanwhile", async () => {
    const one = await underWay()
    await one.isNotDelivered()
    one.job("job.ended", "b")
    one.send("inbox.emptied")
    expect(one.state).toBe("window")
    one.clock.increment(250)
    expect(one.sent).toEqual([message, message])
    await one.delivered()
    expect(one.state).toBe("window")
  })

  it("waits longer after each failure: a second, then two", async () => {
    const one = delivery("this process")
    one.clock.increment(250)
    for (const pause of [1_000, 2_000, 4_000]) {
      await one.fails()
      one.clock.increment(pause - 1)
      expect(one.state).toBe("backoff")
      one.clock.increment(1)
      expect(one.state).toBe("composing")
    }
  })
})
