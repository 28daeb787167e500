import { describe, expect, it } from "vitest"
import { Options, readOptions } from "../../src/plugin/options.ts"

const defaults = Options.parse({})

describe("Options", () => {
  it.each([[undefined], [{}]])("are the defaults where none are given: %o", (given) => {
    expect(readOptions(given)).toEqual({ options: defaults, problems: [] })
    expect(defaults).toMatchObject({
      concurrency: 8,
      timeoutSeconds: 1800,
      idleSeconds: 300,
      depth: 1,
      notify: "idle",
      recover: "fail",
    })
  })

  it("are taken as given where they are right", () => {
    const given = { concurrency: 2, timeoutSeconds: 0.5, depth: 3, notify: "never", recover: "resume" }
    expect(readOptions(given)).toEqual({ options: { ...defaults, ...given }, problems: [] })
  })

  it.each([
    [{ concurrency: 0 }, /^option "concurrency" is 0, but .*>=1; using the default, 8$/],
    [{ concurrency: 1.5 }, /^option "concurrency" is 1.5, but .*int.*; using the default, 8$/],
    [
      { idleSeconds: "60" },
      /^option "idleSeconds" is "60", but .*expected number.*; using the default, 300$/,
    ],
    [{ notify: "always" }, /^option "notify" is "always", but .*"idle"\|"never"; using the default, "idle"$/],
    [{ recover: null }, /^option "recover" is null, but .*; using the default, "fail"$/],
    [{ colour: "red" }, /^option "colour" is unknown; there are: concurrency, timeoutSeconds, /],
    [{ toString: 1 }, /^option "toString" is unknown/],
    [
      { inspector: { port: "any" } },
      /^option "inspector.port" is "any", but .*expected number.*; using the default, 0$/,
    ],
    [{ inspector: { colour: "red" } }, /^option "inspector.colour" is unknown; there are: enabled, port, /],
    [{ inspector: true }, /^option "inspector": true is no object of keys and values; using the defaults$/],
  ])("that are wrong are named, with what would be right: %o", (given, words) => {
    const { options, problems } = readOptions({ ...given, timeoutSeconds: 60 })
    expect(problems).toEqual([expect.stringMatching(words)])
    expect(options).toEqual({ ...defaults, timeoutSeconds: 60 })
  })

  it("names every wrong one", () => {
    expect(readOptions({ concurrency: "many", depth: 0, colour: "red" }).problems).toHaveLength(3)
  })
})
