import { describe, expect, it } from "vitest"
import { readOptions } from "../../../src/plugin/options.ts"
import { loadedLine } from "../../../src/plugin/person/loaded.ts"

const { options } = readOptions({ concurrency: 4 })

describe("The line in opencode's log when the plugin is loaded", () => {
  it("says the version, the options in effect and how to open the inspector", () => {
    expect(loadedLine(options, "file:///home/me/troupe/dist/server.js")).toBe(
      "opencode-troupe development loaded: concurrency 4, timeout 1800 s, idle timeout 300 s, depth 1, " +
        "notify idle, recover fail, inspector: node /home/me/troupe/dist/cli.js inspect",
    )
  })

  it("quotes a path that a shell would split", () => {
    expect(loadedLine(options, "file:///home/me/my%20code/dist/server.js")).toContain(
      'node "/home/me/my code/dist/cli.js" inspect',
    )
  })

  it("says when there is no inspector", () => {
    const { options } = readOptions({ inspector: { enabled: false } })
    expect(loadedLine(options, "file:///x/dist/server.js")).toMatch(/, no inspector$/)
  })
})
