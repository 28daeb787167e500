import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type Claim,
  createLimits,
  grant,
  type Limits,
  release,
  releaseOwner,
  request,
} from "../../src/machines/limits.ts"

const claim = (name: string): Claim => ({ owner: name.charAt(0), job: name })
const names = (claims: Claim[]) => claims.map(({ job }) => job)

/** `a1` is job a1 of owner a. */
function requested(concurrency: number, ...jobs: string[]): Limits {
  return jobs.reduce((limits, job) => request(limits, claim(job)), createLimits(concurrency))
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
})
