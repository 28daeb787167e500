import { describe, expect, it } from "vitest"
import { isRepairOf, promptID, repairID, wasAskedBefore } from "../../../src/plugin/host/prompt-ids.ts"

const noon = Date.UTC(2026, 0, 1, 12)

describe("The ids of prompts", () => {
  it("are of opencode's own shape", () => {
    expect(promptID("ses_1", noon)).toMatch(/^msg_[0-9a-f]{12}[0-9A-Za-z]{14}$/)
  })

  it("hold the time as opencode's do: milliseconds × 4096, modulo 2^48", () => {
    const time = ((BigInt(noon) * 4096n) % 2n ** 48n).toString(16)
    expect(promptID("ses_1", noon).slice(4, 16)).toBe(time.padStart(12, "0"))
    expect(promptID("ses_1", 26 * 2 ** 36 + 1).slice(4, 16)).toBe("000000001000")
  })

  it("stay what they are in every version of this plugin: a run may outlive the one that asked it", () => {
    expect(promptID("ses_1", noon)).toBe("msg_b796dd6000001X4PPRfh23x5jj")
  })

  it("are the same for the same session and time, so that asking again joins the first prompt", () => {
    expect(promptID("ses_1", noon)).toEqual(promptID("ses_1", noon))
  })

  it("are others for another session and another time", () => {
    const all = [promptID("ses_1", noon), promptID("ses_2", noon), promptID("ses_1", noon + 1)]
    expect(new Set(all.map((id) => id.slice(16))).size).toBe(3)
  })

  it("sort by time", () => {
    const times = [noon, noon + 1, noon + 999, noon + 3_600_000]
    const ids = times.map((time) => promptID("ses_1", time))
    expect(ids.toSorted()).toEqual(ids)
  })
})

describe("The id under which an answer is corrected", () => {
  const asked = promptID("ses_1", noon)
  const id = repairID(asked, noon + 5_000)

  it("is opencode's own in shape, follows from prompt and answer, and comes after both", () => {
    expect(id).toMatch(/^msg_[0-9a-f]{12}[0-9A-Za-z]{14}$/)
    expect(repairID(asked, noon + 5_000)).toBe(id)
    expect([asked, promptID("ses_1", noon + 5_000), id].toSorted().at(-1)).toBe(id)
  })

  it("tells which prompt's answer it corrects", () => {
    expect(isRepairOf(id, asked)).toBe(true)
    expect(isRepairOf(id, promptID("ses_1", noon + 1))).toBe(false)
    expect(isRepairOf(asked, asked)).toBe(false)
    expect(isRepairOf(repairID(id, noon + 9_000), asked)).toBe(false)
  })
})

describe("Whether a prompt is older than a time", () => {
  it.each([
    ["is told by its id", noon, noon + 1, true],
    ["is not where it is of that time", noon, noon, false],
    ["is not where it is younger", noon + 1, noon, false],
    ["is told where the times of ids have come round in between", 26 * 2 ** 36 - 1, 26 * 2 ** 36 + 1, true],
    ["is told the other way round as well", 26 * 2 ** 36 + 1, 26 * 2 ** 36 - 1, false],
  ])("%s", (_, askedAt, at, isOlder) => {
    expect(wasAskedBefore(promptID("ses_1", askedAt), at)).toBe(isOlder)
  })
})
