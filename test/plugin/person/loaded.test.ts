import { describe, expect, it } from "vitest"
import { readOptions } from "../../../src/plugin/options.ts"
import { loadedLine } from "../../../src/plugin/person/loaded.ts"

describe("The line in opencode's log when the plugin is loaded", () => {
  it("says the version, the options in effect and how to open the inspector", () => {
    const { options } = readOptions({ concurrency: 4 })
    expect(loadedLine(options)).toMatch(
      /^version development loaded: concurrency 4, timeout 1800 s, idle timeout 300 s, depth 1, notify batch within 60 s, recover fail, inspector: node \/.+\/dist\/cli\.js inspect$/,
    )
  })

  it.each([
    [{ total: 4, providers: { p: 2, q: 1 }, models: { "p/x": 1 } }, "concurrency 4 (p 2, q 1, p/x 1)"],
    [{ providers: { p: 2 } }, "concurrency 8 (p 2)"],
    [{ total: 4 }, "concurrency 4"],
  ])("says each limit: %o", (concurrency, words) => {
    expect(loadedLine(readOptions({ concurrency }).options)).toContain(` loaded: ${words}, timeout`)
  })

  it("has no double quotes, which the log would escape", () => {
    expect(loadedLine(readOptions({}).options)).not.toContain('"')
  })

  it("says when there is no inspector", () => {
    const { options } = readOptions({ inspector: { enabled: false } })
    expect(loadedLine(options)).toMatch(/, no inspector$/)
  })
})
