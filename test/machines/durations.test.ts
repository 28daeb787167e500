import { describe, expect, it } from "vitest"
import { clockTime, duration, timeOf } from "../../src/machines/durations.ts"

describe("How long a job has been running", () => {
  it.each([
    ["since its prompt, until now", { startedAt: 300 }, 700],
    ["since it was made, where it waits for its turn", {}, 900],
    ["until its end", { startedAt: 300, endedAt: 450 }, 150],
    ["without the time that it waited for people", { startedAt: 300, waitedMs: 200 }, 500],
    ["without the wait that is under way", { startedAt: 300, waitedMs: 200, waitingSince: 900 }, 400],
    ["without a wait that its end cut off", { startedAt: 300, endedAt: 800, waitingSince: 600 }, 300],
    ["not at all, where the clock was set back", { startedAt: 2_000 }, 0],
  ])("is told %s", (_, times, expected) => {
    expect(timeOf({ createdAt: 100, ...times }, 1_000)).toBe(expected)
  })
})

describe("A duration", () => {
  it.each([
    [-5, "0 ms"],
    [0.4, "0 ms"],
    [999, "999 ms"],
    [1_000, "1.0 s"],
    [9_940, "9.9 s"],
    [10_000, "10 s"],
    [59_999, "59 s"],
    [60_000, "1 m 00 s"],
    [187_000, "3 m 07 s"],
    [3_599_000, "59 m 59 s"],
    [3_600_000, "1 h 00 m"],
    [7_500_000, "2 h 05 m"],
  ])("of %i ms is %s", (ms, words) => {
    expect(duration(ms)).toBe(words)
  })
})

describe("A time of day", () => {
  const now = new Date(2026, 0, 9, 14, 3, 20).getTime()

  it.each([
    [new Date(2026, 0, 9, 14, 4, 2), "14:04:02"],
    [new Date(2026, 0, 9, 0, 0, 0), "00:00:00"],
    [new Date(2026, 0, 10, 0, 0, 0), "2026-01-10 00:00:00"],
    [new Date(2027, 11, 9, 9, 5, 7), "2027-12-09 09:05:07"],
  ])("%s is told with the day where it is not today", (time, words) => {
    expect(clockTime(time.getTime(), now)).toBe(words)
  })
})
