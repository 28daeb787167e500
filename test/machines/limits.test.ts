import { isDeepStrictEqual } from "node:util"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type Claim,
  type Concurrency,
  createLimits,
  endHold,
  grant,
  type Hold,
  hold,
  type Limits,
  longestHold,
  obstacleTo,
  passHold,
  providerOf,
  release,
  releaseOwner,
  request,
  slotsIn,
} from "../../src/machines/limits.ts"

/** `a1 p/x`: with that model. */
function claim(name: string): Claim {
  const [job = "", model] = name.split(" ")
  return { owner: job.charAt(0), job, ...(model !== undefined && { model }) }
}
/** What a job was told of the model x of a provider, at 1,000. */
const told = (job: string, until: number, provider = "p") => {
  return { ...claim(job), provider, model: `${provider}/x`, at: 1_000, until }
}
/** Its model answers what it was asked at 0, or then. */
const answered = (job: string, askedAt = 0) => ({ ...claim(job), model: claim(job).model ?? "p/x", askedAt })
const names = (claims: Claim[]) => claims.map(({ job }) => job)

const requestedIn = (limits: Limits, ...jobs: string[]) =>
  jobs.reduce((limits, job) => request(limits, claim(job)), limits)

/** `a1` is job a1 of owner a. */
function requested(concurrency: Concurrency, ...jobs: string[]): Limits {
  return requestedIn(createLimits(concurrency), ...jobs)
}

describe("Slots", () => {
  it("are handed out up to the concurrency, over all owners together", () => {
    const { limits, granted } = grant(requested(2, "a1", "b1", "c1"))
    expect(names(granted)).toEqual(["a1", "b1"])
    expect(limits.holders).toEqual(granted)
    expect(limits.waiting).toEqual([claim("c1")])
  })

  it("are handed out once: a second look finds nothing to grant", () => {
    const { limits } = grant(requested(2, "a1"))
    expect(grant(limits)).toEqual({ limits, granted: [], news: [] })
  })

  it("go round-robin between owners, however many jobs the first one brought", () => {
    const { granted } = grant(requested(5, "a1", "a2", "a3", "b1", "c1"))
    expect(names(granted)).toEqual(["a1", "b1", "c1", "a2", "a3"])
  })

  it("keep the turn of an owner across grants: who was served waits behind the others", () => {
    let { limits } = grant(requested(1, "a1", "a2", "b1"))
    const order: string[] = []
    for (const freed of ["a1", "b1"]) {
      const next = grant(release(limits, claim(freed)))
      order.push(...names(next.granted))
      limits = next.limits
    }
    expect(order).toEqual(["b1", "a2"])
  })

  it("go first-in-first-out within one owner", () => {
    expect(names(grant(requested(3, "a3", "a1", "a2")).granted)).toEqual(["a3", "a1", "a2"])
  })

  it("become free when a holder gives its own up", () => {
    const { limits } = grant(requested(1, "a1", "a2"))
    const { granted, limits: next } = grant(release(limits, claim("a1")))
    expect(names(granted)).toEqual(["a2"])
    expect(names(next.holders)).toEqual(["a2"])
  })

  it("pass by a job that gave up its place in the queue, and an owner left with none", () => {
    const limits = release(release(requested(1, "a1", "b1", "b2"), claim("a1")), claim("b1"))
    expect(limits.waiting).toEqual([claim("b2")])
    expect(names(grant(limits).granted)).toEqual(["b2"])
  })

  it("are one a job: to ask again while holding or waiting changes nothing", () => {
    const { limits } = grant(requested(1, "a1", "a2"))
    expect(request(limits, claim("a1"))).toEqual(limits)
    expect(request(limits, claim("a2"))).toEqual(limits)
  })

  it("are freed once: to release again, or what was never asked for, changes nothing", () => {
    const limits = release(grant(requested(1, "a1", "b1")).limits, claim("a1"))
    expect(release(limits, claim("a1"))).toEqual(limits)
    expect(release(limits, claim("c9"))).toEqual(limits)
  })

  it("of jobs with one id and different owners are different slots", () => {
    const one: Claim = { owner: "a", job: "j1" }
    const other: Claim = { owner: "b", job: "j1" }
    const { limits } = grant(request(request(createLimits(2), one), other))
    expect(limits.holders).toEqual([one, other])
    expect(release(limits, one).holders).toEqual([other])

    const waiting = request(request(createLimits(0), one), other)
    expect(release(waiting, one).waiting).toEqual([other])
  })

  it("of an owner that is gone are all free, held and waited for", () => {
    const limits = releaseOwner(grant(requested(2, "a1", "b1", "a2", "b2")).limits, "a")
    expect(names(limits.holders)).toEqual(["b1"])
    expect(limits.waiting).toEqual([claim("b2")])
  })

  it("are asked for by claims of plain JSON", () => {
    expect(requested(0, "a1", "a2 p/x").waiting).toStrictEqual([claim("a1"), claim("a2 p/x")])
  })

  it("do not change the value that a caller still has", () => {
    const limits = requested(1, "a1", "a2", "b1")
    const before = structuredClone(limits)
    request(limits, claim("c1"))
    release(limits, claim("a1"))
    releaseOwner(limits, "a")
    grant(limits)
    expect(limits).toEqual(before)
  })
})

describe("Limits of providers and models", () => {
  it("all hold for a job that falls under them", () => {
    const concurrency = { total: 9, providers: { p: 2 }, models: { "p/x": 1, "q/y": 1 } }
    const jobs = ["a1 p/x", "a2 p/x", "a3 p/z", "a4 p/z", "a5 q/y", "a6 q/y", "a7 q/z", "a8 q/z"]
    const { limits, granted } = grant(requested(concurrency, ...jobs))
    expect(names(granted)).toEqual(["a1", "a3", "a5", "a7", "a8"])
    expect(names(limits.waiting)).toEqual(["a2", "a4", "a6"])
    // The model's limit would let it go, the provider's does not.
    expect(names(grant(release(limits, claim("a1"))).granted)).toEqual(["a2"])
    expect(names(grant(release(limits, claim("a3"))).granted)).toEqual(["a4"])
  })

  it("leave the limit of all in force", () => {
    const { granted } = grant(
      requested({ total: 2, providers: { p: 2, q: 2 } }, "a1 p/x", "a2 q/x", "a3 q/x"),
    )
    expect(names(granted)).toEqual(["a1", "a2"])
  })

  it("let no job wait for one that does not fit, of its own owner or another", () => {
    const limits = requested(
      { total: 3, providers: { p: 1 } },
      "a1 p/x",
      "a2 p/x",
      "b1 p/x",
      "b2 q/y",
      "a3 q/y",
    )
    expect(names(grant(limits).granted)).toEqual(["a1", "b2", "a3"])
  })

  it("do not hold for a job whose model opencode chooses", () => {
    const { granted } = grant(requested({ total: 9, providers: { p: 1 } }, "a1", "a2", "a3 p/x", "a4 p/x"))
    expect(names(granted)).toEqual(["a1", "a2", "a3"])
  })

  it("are of the whole name, whatever it begins with", () => {
    const concurrency = { total: 9, providers: { open: 1 }, models: { "open/a": 1, "router/a/b": 1 } }
    const jobs = ["a1 opens/x", "a2 opens/x", "a3 router/a", "a4 router/a", "a5 router/a/b", "a6 router/a/b"]
    expect(names(grant(requested(concurrency, ...jobs)).granted)).toEqual(["a1", "a2", "a3", "a4", "a5"])
  })

  it("may be of a provider with any name, and of none with a name of JavaScript's own", () => {
    const { granted } = grant(
      requested({ total: 9, providers: { p: 1 } }, "a1 constructor/x", "a2 __proto__/x"),
    )
    expect(names(granted)).toEqual(["a1", "a2"])
    const concurrency = { total: 9, providers: JSON.parse('{ "__proto__": 1, "constructor": 1 }') }
    const jobs = ["a1 __proto__/x", "a2 __proto__/x", "a3 constructor/x", "a4 constructor/x"]
    expect(names(grant(requested(concurrency, ...jobs)).granted)).toEqual(["a1", "a3"])
  })

  it("are fair each by itself: who gets slots of one provider does not lose its turn with another", () => {
    const concurrency = { total: 9, providers: { p: 1, q: 1 } }
    let { limits } = grant(requested(concurrency, "b0 p/x", "a0 q/x", "a1 p/x", "b1 p/x", "a2 q/x", "a3 q/x"))
    for (const job of ["a0", "a2"]) ({ limits } = grant(release(limits, claim(job))))
    const { granted } = grant(release(limits, claim("b0")))
    expect(names(granted)).toEqual(["a1"])
  })

  it("are fair in a model's limit too, where the turn of all is another owner's", () => {
    const concurrency = { total: 9, models: { "p/x": 1 } }
    let { limits } = grant(requested(concurrency, "a0 p/x", "b1 p/x", "a1 p/x", "b2 p/y"))
    expect(names(limits.holders)).toEqual(["a0", "b2"])
    expect(limits.bounds.map(({ turns }) => turns)).toEqual([
      ["a", "b"],
      ["b", "a"],
    ])
    ;({ limits } = grant(release(limits, claim("a0"))))
    expect(names(limits.waiting)).toEqual(["a1"])
  })

  it("tell a job that goes on with another model where that is no longer held", () => {
    const held = hold(createLimits(1), told("b1", 5_000))
    const { limits } = grant(requestedIn(held, "a1 q/x", "a2 p/x"))
    const moved = grant(requestedIn(limits, "a2 q/x"))
    expect(moved.news).toEqual([{ owner: "a", job: "a2", until: undefined }])
    expect(moved.limits.waiting).toEqual([claim("a2 q/x")])
  })

  it("give an owner whose turn it is in one of them a slot of that one, though another of its jobs waits longer", () => {
    const later = told("c1", 5_000)
    const jobs = ["b1 q/x", "b2 q/x", "b3 p/x", "a1 p/x"]
    const { limits } = grant(
      requestedIn(hold(createLimits({ total: 1, providers: { p: 1 } }), later), ...jobs),
    )
    expect(names(limits.holders)).toEqual(["b1"])
    expect(names(grant(release(passHold(limits, "p"), claim("b1"))).granted)).toEqual(["b3"])
  })

  it("count a job that goes on with another model there, and no longer where it was", () => {
    const concurrency = { total: 9, providers: { p: 1, q: 1 } }
    const { limits } = grant(requested(concurrency, "a1 p/x", "a2 p/x", "b1 q/y"))
    const moved = grant(request(limits, claim("a1 q/y")))
    expect(names(moved.granted)).toEqual(["a2"])
    expect(moved.limits.waiting).toEqual([claim("a1 q/y")])
    const { granted, limits: after } = grant(release(moved.limits, claim("b1")))
    expect(granted).toEqual([claim("a1 q/y")])
    expect(after.holders).toEqual([claim("a2 p/x"), claim("a1 q/y")])
  })

  it("leave a job that waits with its model where another one goes on with one of its own", () => {
    const limits = request(requested(0, "a1 p/x", "a2 p/x", "b1 q/x"), claim("a1 q/y"))
    expect(limits.waiting).toEqual([claim("a1 q/y"), claim("a2 p/x"), claim("b1 q/x")])
  })

  it.each<[Concurrency, number]>([
    [5, 5],
    [{ total: 3, providers: { p: 9 } }, 3],
  ])("of %o have so many slots in all: %i", (concurrency, slots) => {
    expect(slotsIn(concurrency)).toBe(slots)
  })

  it.each([
    ["p/x", "p"],
    ["p/x/y", "p"],
    ["p/", "p"],
    ["p", undefined],
    ["/x", undefined],
    ["/x/y", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("take the model %s for one of the provider %s", (model, provider) => {
    expect(providerOf(model)).toBe(provider)
  })
})

describe("A provider on hold", () => {
  const at = 1_000
  const untils = (limits: Limits) => limits.holds.map(({ provider, until }) => [provider, until])

  it("gets no further job, and those of others go on; they are told of it once", () => {
    const { limits } = grant(requested(2, "a1 p/x"))
    const held = grant(hold(limits, told("a1", 5_000)))
    expect(held).toMatchObject({ granted: [], news: [] })
    const next = grant(requestedIn(held.limits, "a2 p/y", "a3", "b1 q/x"))
    expect(names(next.granted)).toEqual(["a3"])
    expect(next.news).toEqual([{ owner: "a", job: "a2", until: 5_000 }])
    const after = grant(release(next.limits, claim("a3")))
    expect(names(after.granted)).toEqual(["b1"])
    expect(after.news).toEqual([])
    expect(after.limits.waiting).toEqual([{ ...claim("a2 p/y"), heldUntil: 5_000 }])
  })

  it("gets jobs again when the time has come; those that do not fit then are told that they wait for a slot alone", () => {
    const { limits } = grant(requestedIn(hold(createLimits(1), told("a0", 5_000)), "a1 p/x", "a2 p/x"))
    const over = grant(passHold(limits, "p"))
    expect(over.granted).toEqual([claim("a1 p/x")])
    expect(over.news).toEqual([{ owner: "a", job: "a2", until: undefined }])
    expect(over.limits.waiting).toStrictEqual([claim("a2 p/x")])
    expect(grant(passHold(limits, "q"))).toMatchObject({ limits, granted: [] })
  })

  it("gets jobs again as soon as the job that was told so gets through, and not when another one does that asked before", () => {
    const limits = hold(hold(createLimits(1), told("a1", 5_000)), told("b1", 6_000, "q"))
    for (const job of ["a2", "c1"]) expect(endHold(limits, answered(job, at - 1))).toEqual(limits)
    expect(endHold(limits, { ...answered("a1"), owner: "b" })).toEqual(limits)
    expect(endHold(limits, answered("a1 p/y", 9_000))).toEqual(limits)
    expect(untils(endHold(limits, answered("a1")))).toEqual([["q", 6_000]])
  })

  it("gets jobs again as soon as the same model answers any job that has asked since", () => {
    const limits = hold(hold(createLimits(1), told("a1", 5_000)), told("b1", 6_000, "q"))
    expect(untils(endHold(limits, answered("c1", at)))).toEqual([["q", 6_000]])
    expect(endHold(limits, answered("c1 p/y", at))).toEqual(limits)
  })

  describe("that was to be asked much later", () => {
    const day = 24 * longestHold
    const overAt = at + longestHold
    const long = hold(createLimits(9), told("a0", at + day))
    /** After an hour, with these claims. */
    const triedBy = (...jobs: string[]) => grant(passHold(grant(requestedIn(long, ...jobs)).limits, "p"))

    it("is believed for an hour, and for less than that it is taken at its word", () => {
      expect(untils(long)).toEqual([["p", overAt]])
      expect(untils(passHold(hold(long, told("a0", overAt - 1)), "p"))).toEqual([])
    })

    it("is then tried by one job, while the others are told that they wait for as long again", () => {
      const { granted, news, limits } = triedBy("a1 p/x", "b1 p/y", "c1 q/x")
      expect(names(granted)).toEqual(["a1"])
      expect(news).toEqual([{ owner: "b", job: "b1", until: overAt + longestHold }])
      expect(names(grant(requestedIn(limits, "d1 p/x")).granted)).toEqual([])
      expect(names(grant(passHold(limits, "q")).granted)).toEqual([])
    })

    it("is tried by whoever comes first, where nobody waits", () => {
      const { granted, limits } = triedBy()
      expect(granted).toEqual([])
      const first = grant(requestedIn(limits, "a1", "b1 q/x", "c1 p/x", "c2 p/x"))
      expect(names(first.granted)).toEqual(["a1", "b1", "c1"])
    })

    it("is on hold no longer where nobody has wanted to try for as long again", () => {
      const { limits } = triedBy("b1 q/x")
      expect(untils(passHold(limits, "p"))).toEqual([])
    })

    it("is tried by whoever gets the next slot, where none is free", () => {
      const full = grant(
        requestedIn(hold(createLimits(1), told("a0", at + day)), "b1 q/x", "a1 p/x", "c1 p/x"),
      )
      const over = grant(passHold(full.limits, "p"))
      expect(over.granted).toEqual([])
      expect(over.news.map(({ job, until }) => [job, until])).toEqual([
        ["a1", undefined],
        ["c1", undefined],
      ])
      expect(obstacleTo(over.limits, claim("a1 p/x"))).toMatchObject({ full: { of: "" } })
      expect(names(grant(release(over.limits, claim("b1"))).granted)).toEqual(["a1"])
    })

    it("gets all its jobs again once it answers the one that tries, whichever model that asked", () => {
      const { limits } = triedBy("a1 p/z", "b1 p/x", "c1 p/y")
      expect(names(grant(endHold(limits, answered("b1 p/y"))).granted)).toEqual([])
      expect(names(grant(endHold(limits, answered("a1 q/z"))).granted)).toEqual([])
      expect(names(grant(endHold(limits, answered("a1 p/z"))).granted)).toEqual(["b1", "c1"])
    })

    it("is on hold for as long as the one that tries is told, though that is sooner", () => {
      const { limits } = triedBy("a1 p/x", "b1 p/x")
      const again = hold(limits, { ...told("a1", overAt + 5_000), at: overAt })
      expect(grant(again).news).toEqual([{ owner: "b", job: "b1", until: overAt + 5_000 }])
      expect(names(grant(passHold(again, "p")).granted)).toEqual(["b1"])
    })

    it("is on hold for as long as before, whatever another one is told meanwhile that is sooner", () => {
      const { limits } = triedBy("a1 p/x", "b1 p/x")
      expect(hold(limits, { ...told("c1", overAt + 5_000), at: overAt })).toEqual(limits)
    })

    it.each<[string, (limits: Limits) => Limits]>([
      ["ends without a word of it", (limits) => release(limits, claim("a1"))],
      ["goes on with a model of another provider", (limits) => request(limits, claim("a1 q/x"))],
      ["has heard nothing for as long again", (limits) => passHold(limits, "p")],
    ])("is tried by the next where the one that tries %s", (_, change) => {
      const { limits } = triedBy("a1 p/x", "b1 p/x", "c1 p/x")
      expect(names(grant(change(limits)).granted).filter((job) => job !== "a1")).toEqual(["b1"])
    })

    it("is asked by a fallback all the same, which tries nothing", () => {
      const { limits } = triedBy("a1 q/x")
      const moved = grant(request(grant(request(limits, claim("a1 p/x"))).limits, claim("a1 p/y")))
      expect(moved.granted).toEqual([{ ...claim("a1 p/y"), isFallback: true }])
      expect(names(grant(requestedIn(moved.limits, "b1 p/x", "c1 p/x")).granted)).toEqual(["b1"])
    })
  })

  it("is so for the longest of the times that its jobs were told", () => {
    const limits = hold(createLimits(1), told("a1", 5_000))
    expect(hold(limits, told("b1", 4_000))).toEqual(limits)
    expect(hold(limits, told("b1", 5_000))).toEqual(limits)
    const longer = hold(limits, told("b1", 5_001))
    expect(longer.holds).toEqual([told("b1", 5_001)])
    expect(endHold(longer, answered("a1"))).toEqual(longer)
  })

  it("leaves the holds of other providers as they are", () => {
    const limits = hold(hold(createLimits(1), told("a1", 5_000)), told("b1", 4_000, "q"))
    expect(untils(limits)).toEqual([
      ["p", 5_000],
      ["q", 4_000],
    ])
    expect(untils(hold(limits, told("c1", 6_000)))).toEqual([
      ["q", 4_000],
      ["p", 6_000],
    ])
  })

  it("is so for what the same job was told last, though that is sooner", () => {
    const limits = hold(createLimits(1), told("a1", 5_000))
    expect(untils(hold(limits, told("a1", 2_000)))).toEqual([["p", 2_000]])
    expect(untils(hold(limits, told("a1", at)))).toEqual([])
    expect(untils(hold(limits, told("a1", 9_000, "q")))).toEqual([
      ["p", 5_000],
      ["q", 9_000],
    ])
  })

  it("is not held where the time is over already", () => {
    expect(untils(hold(createLimits(1), told("a1", at)))).toEqual([])
    expect(untils(hold(createLimits(1), told("a1", at + 0.5)))).toEqual([["p", at + 1]])
  })

  it("takes back the slots of those that have not asked it yet, who are then the next, and hands them to others", () => {
    const jobs = ["a1 p/x", "b1 p/x", "b2 p/x", "c1 q/x", "b3 q/x", "a2 p/x", "d1 p/x"]
    const { limits } = grant(requested(4, ...jobs))
    expect(names(limits.holders)).toEqual(["a1", "b1", "c1", "d1"])
    const unstarted = ["b1", "c1", "d1", "b2"].map(claim)
    const held = grant(hold(limits, { ...told("a1", 5_000), unstarted }))
    expect(names(held.limits.holders)).toEqual(["a1", "c1", "b3"])
    expect(names(held.limits.waiting)).toEqual(["b1", "d1", "b2", "a2"])
    expect(held.news.map(({ job, until }) => [job, until])).toEqual(
      ["b1", "d1", "b2", "a2"].map((job) => [job, 5_000]),
    )
    const over = grant(passHold(held.limits, "p"))
    expect(names(over.granted)).toEqual(["d1"])
    const next = grant(release(release(over.limits, claim("a1")), claim("c1")))
    expect(names(next.granted)).toEqual(["a2", "b1"])
  })

  it("takes back no slots where it is on hold for longer already", () => {
    const limits = hold(grant(requested(4, "a1 p/x", "b1 p/x")).limits, told("a1", 5_000))
    expect(hold(limits, { ...told("c1", 4_000), unstarted: [claim("b1")] })).toEqual(limits)
  })

  it("stays so when the owner of the job that was told is gone", () => {
    const limits = hold(createLimits(1), told("a1", 5_000))
    expect(untils(releaseOwner(limits, "a"))).toEqual([["p", 5_000]])
    expect(untils(release(limits, claim("a1")))).toEqual([["p", 5_000]])
  })

  it("tells those that wait already, and again when the time changes", () => {
    const { limits } = grant(requested(0, "a1 p/x", "b1 q/x"))
    const held = grant(hold(limits, told("c1", 5_000)))
    expect(held.news).toEqual([{ owner: "a", job: "a1", until: 5_000 }])
    const longer = grant(hold(held.limits, told("c2", 6_000)))
    expect(longer.news).toEqual([{ owner: "a", job: "a1", until: 6_000 }])
    expect(grant(longer.limits).news).toEqual([])
  })

  it("changes no value that a caller still has", () => {
    const limits = hold(requested(1, "a1 p/x"), told("a1", 5_000))
    const before = structuredClone(limits)
    hold(limits, told("b1", 9_000))
    endHold(limits, answered("a1"))
    passHold(limits, "p")
    grant(limits)
    expect(limits).toEqual(before)
  })
})

describe("What a job waits for", () => {
  const concurrency = { total: 3, providers: { p: 1 }, models: { "q/y": 1 } }
  const { limits } = grant(requested(concurrency, "a1 p/x", "a2 q/y"))
  const ofFull = (name: string, within = limits) => {
    const obstacle = obstacleTo(within, claim(name))
    return obstacle && "full" in obstacle ? [obstacle.full.of, obstacle.full.most] : obstacle
  }

  it("is the limit that is full, the widest first", () => {
    expect(ofFull("b1 p/x")).toEqual(["p", 1])
    expect(ofFull("b1 q/y")).toEqual(["q/y", 1])
    expect(ofFull("b1 q/z")).toBeUndefined()
    expect(ofFull("b1 p/x", grant(requestedIn(limits, "a3")).limits)).toEqual(["", 3])
  })

  it("is that its provider is on hold", () => {
    const held = hold(limits, told("a1", 2_000))
    expect(obstacleTo(held, claim("b1 p/x"))).toEqual({ hold: told("a1", 2_000) })
    expect(obstacleTo(held, claim("b1 q/z"))).toBeUndefined()
  })

  it("is no hold for one that goes on with another model of the provider, though that is full", () => {
    const full = hold(
      grant(requested({ total: 3, providers: { p: 1 } }, "a1 p/x", "a2 p/x")).limits,
      told("a1", 2_000),
    )
    expect(obstacleTo(full, claim("a2 p/x"))).toEqual({ hold: told("a1", 2_000) })
    expect(ofFull("a2 p/y", request(full, claim("a2 p/y")))).toEqual(["p", 1])
  })

  it("is nothing for one that has its slot", () => {
    expect(ofFull("a1 p/x")).toBeUndefined()
  })
})

describe("Whatever is requested and released, in whatever order", () => {
  const step = fc.record({
    does: fc.constantFrom("request", "request", "release", "release owner"),
    claim: fc.constantFrom("a1", "a2", "a3", "b1", "b2", "c1").map(claim),
  })

  it("no more slots are held than there are, no claim is lost, none is granted twice", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 60 }), (concurrency, steps) => {
        let limits = createLimits(concurrency)
        // What should be true, kept in the simplest way: who asked and has not given up.
        let open: Claim[] = []
        let held: Claim[] = []
        for (const { does, claim } of steps) {
          const same = (other: Claim) => other.job === claim.job
          const gone = (other: Claim) => (does === "release" ? same(other) : other.owner === claim.owner)
          if (does === "request") {
            limits = request(limits, claim)
            if (!open.some(same)) open.push(claim)
          } else {
            limits = does === "release" ? release(limits, claim) : releaseOwner(limits, claim.owner)
            open = open.filter((other) => !gone(other))
            held = held.filter((other) => !gone(other))
          }
          const next = grant(limits)
          for (const granted of next.granted) expect(held).not.toContainEqual(granted)
          held.push(...next.granted)
          limits = next.limits

          expect(limits.holders).toEqual(held)
          expect(held.length).toBe(Math.min(concurrency, open.length))
          const { waiting } = limits
          expect(new Set([...names(held), ...names(waiting)])).toEqual(new Set(names(open)))
          expect(held.length + waiting.length).toBe(open.length)
        }
      }),
    )
  })

  it("an owner that waits is served before another one is served twice", () => {
    const demand = fc.record({ a: fc.integer({ min: 1, max: 9 }), b: fc.integer({ min: 1, max: 9 }) })
    fc.assert(
      fc.property(demand, ({ a, b }) => {
        const jobs = [
          ...Array.from({ length: a }, (_, index) => `a${index}`),
          ...Array.from({ length: b }, (_, index) => `b${index}`),
        ]
        let { limits, granted } = grant(requested(1, ...jobs))
        const order = [...granted]
        for (let [holder] = granted; holder; [holder] = granted) {
          ;({ limits, granted } = grant(release(limits, holder)))
          order.push(...granted)
        }
        expect(order.length).toBe(a + b)
        const together = order.slice(0, 2 * Math.min(a, b)).map(({ owner }) => owner)
        for (const [index, owner] of together.entries()) expect(owner).toBe(index % 2 === 0 ? "a" : "b")
      }),
    )
  })

  const under =
    (of: string) =>
    ({ model = "" }: Claim) =>
      of === "" || `${model}/`.startsWith(`${of}/`)
  // In life the hold of a provider ends by a timer; here it may end at any moment.
  const concurrency = fc.record({
    total: fc.integer({ min: 1, max: 4 }),
    providers: fc.dictionary(fc.constantFrom("p", "q"), fc.integer({ min: 1, max: 2 })),
    models: fc.dictionary(fc.constantFrom("p/x", "q/y"), fc.integer({ min: 1, max: 2 })),
  })
  const job = fc.record({
    owner: fc.constantFrom("a", "b", "c"),
    job: fc.constantFrom("1", "2", "3", "4"),
    model: fc.constantFrom("p/x", "p/z", "q/y", undefined),
  })
  const asks = { arbitrary: job.map((claim) => (limits: Limits) => request(limits, claim)), weight: 6 }
  const ends = {
    arbitrary: fc.nat().map((index) => (limits: Limits) => {
      const holder = limits.holders[index % Math.max(1, limits.holders.length)]
      return holder ? release(limits, holder) : limits
    }),
    weight: 6,
  }
  const change = fc.oneof(
    asks,
    ends,
    { arbitrary: job.map((claim) => (limits: Limits) => release(limits, claim)), weight: 2 },
    {
      arbitrary: job.map(
        ({ owner }) =>
          (limits: Limits) =>
            releaseOwner(limits, owner),
      ),
      weight: 1,
    },
    {
      arbitrary: fc
        .record({
          claim: job,
          provider: fc.constantFrom("p", "q"),
          at: fc.constantFrom(0, 4),
          until: fc.constantFrom(0, 5, 9, 2 * longestHold),
          isEarly: fc.boolean(),
        })
        .map(({ claim: { owner, job }, isEarly, ...told }) => (limits: Limits) => {
          const unstarted = isEarly ? limits.holders : []
          return hold(limits, { owner, job, ...told, model: `${told.provider}/x`, unstarted })
        }),
      weight: 2,
    },
    {
      arbitrary: fc.record({ claim: job, askedAt: fc.constantFrom(0, 4) }).map(
        ({ claim, askedAt }) =>
          (limits: Limits) =>
            endHold(limits, { ...claim, model: claim.model ?? "p/x", askedAt }),
      ),
      weight: 1,
    },
    {
      arbitrary: fc.constantFrom("p", "q").map((of) => (limits: Limits) => passHold(limits, of)),
      weight: 2,
    },
  )

  it("no limit is exceeded, none that fits is left waiting, no held one starts, and all that wait know of their hold", () => {
    fc.assert(
      fc.property(concurrency, fc.array(change, { maxLength: 60 }), (concurrency, changes) => {
        const heard = new Map<string, number | undefined>()
        const nameOf = ({ owner, job }: Pick<Claim, "owner" | "job">) => `${owner}${job}`
        let limits = createLimits(concurrency)
        for (const change of changes) {
          const before = change(limits)
          const { granted, news, limits: after } = grant(before)
          limits = after
          for (const each of news) heard.set(nameOf(each), each.until)

          for (const [of, most] of Object.entries({
            "": concurrency.total,
            ...concurrency.providers,
            ...concurrency.models,
          }))
            expect(limits.holders.filter(under(of)).length, of).toBeLessThanOrEqual(most)
          // A fallback takes the place of what was held: no hold is for it.
          const isHeldBack = ({ isFallback }: Claim) => !isFallback
          /** Whether somebody is to try, and nobody does. */
          const isUntried = ({ trial, provider }: Hold, { holders }: Limits) =>
            trial !== undefined &&
            !holders
              .filter(isHeldBack)
              .filter(under(provider))
              .some(({ owner, job }) => isDeepStrictEqual(trial.by, { owner, job }))
          for (const held of before.holds)
            expect(granted.filter(under(held.provider)).filter(isHeldBack).length).toBeLessThanOrEqual(
              isUntried(held, before) ? 1 : 0,
            )
          for (const waiting of limits.waiting) {
            expect(obstacleTo(limits, waiting)).toBeDefined()
            const hold = limits.holds.find(({ provider }) => under(provider)(waiting))
            const until = hold && isHeldBack(waiting) && !isUntried(hold, limits) ? hold.until : undefined
            expect(heard.get(nameOf(waiting)), nameOf(waiting)).toBe(until)
          }
          // Nobody overtakes one of its own owner that wants the same.
          for (const { owner, model, job, isFallback } of granted) {
            const line = before.waiting.filter(
              (each) => each.owner === owner && each.model === model && each.isFallback === isFallback,
            )
            const behind = line.slice(line.findIndex((each) => each.job === job))
            expect(limits.waiting.filter((each) => line.includes(each) && !behind.includes(each))).toEqual([])
          }
          for (const { turns, of } of limits.bounds) {
            const owners = limits.waiting.filter(under(of)).map(({ owner }) => owner)
            expect(new Set(turns)).toEqual(new Set(owners))
            expect(new Set(turns).size).toBe(turns.length)
          }
          // Who was told of a hold and then granted a slot starts anew.
          for (const each of granted) heard.delete(nameOf(each))
          const waits = new Set(limits.waiting.map(nameOf))
          for (const name of heard.keys()) if (!waits.has(name)) heard.delete(name)
          expect(grant(limits)).toEqual({ limits, granted: [], news: [] })
          expect(JSON.parse(JSON.stringify(limits))).toEqual(limits)
        }
      }),
    )
  })

  it("an owner whose job fits is not overtaken again and again under any limit, and by nobody twice under a narrowest", () => {
    fc.assert(
      fc.property(
        concurrency,
        fc.array(fc.oneof(asks, ends), { minLength: 60, maxLength: 120 }),
        (concurrency, changes) => {
          let limits = createLimits(concurrency)
          // Who was overtaken under which limit by whom, since its last slot there.
          const overtaken = new Map<string, number>()
          const forget = (start: string) => {
            for (const key of overtaken.keys()) if (key.startsWith(start)) overtaken.delete(key)
          }
          for (const change of changes) {
            let now = change(limits)
            const { granted, limits: after } = grant(now)
            limits = after
            for (const { of } of now.bounds)
              for (const owner of ["a", "b", "c"])
                if (!now.waiting.some((claim) => claim.owner === owner && under(of)(claim)))
                  forget(`${of} ${owner} `)
            for (const next of granted) {
              for (const { of } of now.bounds.filter((bound) => under(bound.of)(next))) {
                const fits = now.waiting.filter((claim) => under(of)(claim) && !obstacleTo(now, claim))
                forget(`${of} ${next.owner} `)
                for (const owner of new Set(fits.map((claim) => claim.owner))) {
                  if (owner === next.owner) continue
                  const key = `${of} ${owner} ${next.owner}`
                  overtaken.set(key, (overtaken.get(key) ?? 0) + 1)
                  const narrower =
                    now.bounds.filter((bound) => under(of)({ ...next, model: bound.of })).length - 1
                  expect(overtaken.get(key), key).toBeLessThanOrEqual(1 + narrower * 3)
                }
              }
              const isNext = ({ owner, job }: Claim) => owner === next.owner && job === next.job
              const waiting = now.waiting.filter((claim) => !isNext(claim))
              now = { ...now, waiting, holders: [...now.holders, next] }
            }
          }
        },
      ),
    )
  })
})
