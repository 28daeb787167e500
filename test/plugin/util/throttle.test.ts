import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { throttle } from "../../../src/plugin/util/throttle.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe("A throttle", () => {
  const started = () => {
    const passed: string[] = []
    return { passed, throttled: throttle<string>(100, (value) => void passed.push(value)) }
  }

  it("passes the first call on at once", () => {
    const { passed, throttled } = started()
    throttled.call("a")
    expect(passed).toEqual(["a"])
  })

  it("passes the latest on when the interval is over, and drops those between", () => {
    const { passed, throttled } = started()
    for (const value of ["a", "b", "c"]) throttled.call(value)
    vi.advanceTimersByTime(99)
    expect(passed).toEqual(["a"])
    vi.advanceTimersByTime(1)
    expect(passed).toEqual(["a", "c"])
  })

  it("holds the next back for an interval again", () => {
    const { passed, throttled } = started()
    throttled.call("a")
    throttled.call("b")
    vi.advanceTimersByTime(100)
    throttled.call("c")
    expect(passed).toEqual(["a", "b"])
    vi.advanceTimersByTime(100)
    expect(passed).toEqual(["a", "b", "c"])
  })

  it("is open again after an interval without calls", () => {
    const { passed, throttled } = started()
    throttled.call("a")
    vi.advanceTimersByTime(100)
    throttled.call("b")
    expect(passed).toEqual(["a", "b"])
  })

  it("that is late has the first call wait as well, and passes on the latest of an interval", () => {
    const passed: string[] = []
    const throttled = throttle<string>(100, (value) => void passed.push(value), { isLate: true })
    for (const value of ["a", "b"]) throttled.call(value)
    vi.advanceTimersByTime(99)
    expect(passed).toEqual([])
    vi.advanceTimersByTime(1)
    expect(passed).toEqual(["b"])
    vi.advanceTimersByTime(100)
    throttled.call("c")
    expect(passed).toEqual(["b"])
    vi.advanceTimersByTime(100)
    expect(passed).toEqual(["b", "c"])
  })

  it("that is late passes nothing on once it is cancelled", () => {
    const passed: string[] = []
    const throttled = throttle<string>(100, (value) => void passed.push(value), { isLate: true })
    throttled.call("a")
    throttled.cancel()
    vi.advanceTimersByTime(1_000)
    expect(passed).toEqual([])
  })

  it("drops what waits when cancelled, and is open at once", () => {
    const { passed, throttled } = started()
    throttled.call("a")
    throttled.call("b")
    throttled.cancel()
    vi.advanceTimersByTime(1_000)
    expect(passed).toEqual(["a"])
    throttled.call("c")
    expect(passed).toEqual(["a", "c"])
  })
})
