import { describe, expect, it } from "vitest"
import * as z from "zod"
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
      notify: "batch",
      notifySeconds: 60,
      recover: "fail",
      inspector: { enabled: true, port: 0, readOnly: false, host: "127.0.0.1" },
    })
  })

  it("are taken as given where they are right", () => {
    const given = { concurrency: 2, timeoutSeconds: 0.5, depth: 3, notify: "never", recover: "resume" }
    expect(readOptions(given)).toEqual({ options: { ...defaults, ...given }, problems: [] })
  })

  it("may say of notify what its name was before it had three values", () => {
    expect(readOptions({ notify: "idle" })).toEqual({
      options: { ...defaults, notify: "each" },
      problems: [],
    })
  })

  it("may say what is the default", () => {
    expect(readOptions(defaults)).toEqual({ options: defaults, problems: [] })
  })

  it("may be null as a whole, as those of the inspector may: nothing is asked", () => {
    for (const given of [null, { inspector: null }])
      expect(readOptions(given)).toEqual({ options: defaults, problems: [] })
  })

  it.each([
    [
      { concurrency: 0 },
      'option "concurrency" is 0: it must be a whole number, at least 1 and at most 256; using the default, 8',
    ],
    [
      { concurrency: 1.5 },
      'option "concurrency" is 1.5: it must be a whole number, at least 1 and at most 256; using the default, 8',
    ],
    [
      { idleSeconds: "60" },
      'option "idleSeconds" is "60": it must be a number, above 0 and at most 2000000; using the default, 300',
    ],
    [
      { notify: "always" },
      'option "notify" is "always": it must be "batch", "each" or "never"; using the default, "batch"',
    ],
    [{ recover: null }, 'option "recover" is null: it must be "fail" or "resume"; using the default, "fail"'],
    [
      { colour: "red" },
      'option "colour" is unknown; valid names: concurrency, timeoutSeconds, idleSeconds, depth, notify, notifySeconds, fallback, recover, budget, inspector',
    ],
    [{ toString: 1 }, expect.stringMatching(/^option "toString" is unknown/)],
    [
      { inspector: { port: "any" } },
      'option "inspector.port" is "any": it must be a whole number, at least 0 and at most 65535; using the default, 0',
    ],
    [
      { inspector: { colour: "red" } },
      'option "inspector.colour" is unknown; valid names: enabled, port, readOnly, host, token',
    ],
    [{ inspector: true }, 'option "inspector" is true: it must be an object; using the defaults'],
  ])("that are wrong are named, with what would be right: %o", (given, words) => {
    const { options, problems } = readOptions({ ...given, timeoutSeconds: 60 })
    expect(problems).toEqual([words])
    expect(options).toEqual({ ...defaults, timeoutSeconds: 60 })
  })

  it.each([[7], ["off"], [[]], [true]])("that are no object are named, and are the defaults: %o", (given) => {
    const { options, problems } = readOptions(given)
    const words = `the options are ${JSON.stringify(given)}: they must be an object; using the defaults`
    expect([options, problems]).toEqual([defaults, [words]])
  })

  it.each([
    [{ total: 4 }, { total: 4, providers: {}, models: {} }],
    [{}, { total: 8, providers: {}, models: {} }],
    [
      { providers: { anthropic: 1, openai: 256 }, models: { "openrouter/z-ai/glm": 2 } },
      { total: 8, providers: { anthropic: 1, openai: 256 }, models: { "openrouter/z-ai/glm": 2 } },
    ],
  ])("may limit all, providers and models: %o", (concurrency, limits) => {
    const { options, problems } = readOptions({ concurrency })
    expect([options.concurrency, problems]).toEqual([limits, []])
  })

  it("that limit something wrongly are named one by one, and the other limits hold", () => {
    const good = { total: 3, providers: { p: 2 }, models: { "p/x": 1 } }
    const wordsOf = (concurrency: object) => {
      const { options, problems } = readOptions({ concurrency })
      return [options.concurrency, ...problems]
    }
    const number = "it must be a whole number, at least 1 and at most 256"
    expect(wordsOf({ ...good, total: 0, colour: "red" })).toEqual([
      { ...good, total: 8 },
      `option "concurrency.total" is 0: ${number}; using the default, 8`,
      'option "concurrency.colour" is unknown; valid names: total, providers, models',
    ])
    expect(
      wordsOf({ ...good, providers: { p: 2, q: 0, r: "many", "s/x": 1, "": 1, constructor: 1.5 } }),
    ).toEqual([
      good,
      'option "concurrency.providers" has a limit of "s/x": it must be of a provider, such as anthropic; continuing without it',
      'option "concurrency.providers" has a limit of "": it must be of a provider, such as anthropic; continuing without it',
      `option "concurrency.providers.q" is 0: ${number}; continuing without it`,
      `option "concurrency.providers.r" is "many": ${number}; continuing without it`,
      `option "concurrency.providers.constructor" is 1.5: ${number}; continuing without it`,
    ])
    const model = "it must be of a model, such as anthropic/claude-opus-4-1; continuing without it"
    expect(wordsOf({ ...good, models: { "p/x": 1, "p/y": 257, p: 1, "/x": 1, "p/": 1 } })).toEqual([
      good,
      ...["p", "/x", "p/"].map((of) => `option "concurrency.models" has a limit of "${of}": ${model}`),
      `option "concurrency.models.p/y" is 257: ${number}; continuing without it`,
    ])
    expect(wordsOf({ ...good, providers: 4, models: [] })).toEqual([
      { ...good, providers: {}, models: {} },
      'option "concurrency.providers" is 4: it must be an object; using the defaults',
      'option "concurrency.models" is []: it must be an object; using the defaults',
    ])
    expect(wordsOf({ providers: null, models: null })).toEqual([{ total: 8, providers: {}, models: {} }])
  })

  it("that name fallbacks wrongly are named one by one, and the other fallbacks hold", () => {
    const { options, problems } = readOptions({
      fallback: {
        "p/a": ["q/b", "c", "r/d", 7],
        "p/b": "q/b",
        "p/c": [],
        "p/d": ["x"],
        e: ["q/b"],
        "p/f": ["q/f"],
      },
      depth: 2,
    })
    expect(options).toEqual({
      ...defaults,
      depth: 2,
      fallback: { "p/a": ["q/b", "r/d"], "p/f": ["q/f"] },
    })
    const model = "it must be provider/model; continuing without it"
    const list = 'it must be a list of models, such as ["openai/gpt-5"]; continuing without it'
    expect(problems).toEqual([
      `option "fallback.p/a[1]" is "c": ${model}`,
      `option "fallback.p/a[3]" is 7: ${model}`,
      `option "fallback.p/b" is "q/b": ${list}`,
      `option "fallback.p/c" is empty: ${list}`,
      `option "fallback.p/d[0]" is "x": ${model}`,
      `a model in option "fallback" is "e": ${model}`,
    ])
  })

  it("that name a model as its own fallback, or one twice, are taken without that", () => {
    const { options, problems } = readOptions({
      fallback: { "p/a": ["p/a"], "p/b": ["q/b", "p/b", "q/b", "p/b#high"] },
    })
    expect(options.fallback).toEqual({ "p/b": ["q/b", "p/b#high"] })
    expect(problems).toEqual([
      'option "fallback.p/a" names "p/a" again: it must list other models, each once; continuing without it',
      'option "fallback.p/b" names "p/b" again: it must list other models, each once; continuing without it',
      'option "fallback.p/b" names "q/b" again: it must list other models, each once; continuing without it',
    ])
  })

  it.each([[null], [["p/a"]], ["p/a"]])("that name no fallbacks at all are the default: %o", (fallback) => {
    const { options, problems } = readOptions({ fallback })
    expect(options.fallback).toEqual({})
    expect(problems).toEqual([
      `option "fallback" is ${JSON.stringify(fallback)}: it must be a list of models for each model, such as ` +
        '{"anthropic/claude-sonnet-4-5": ["openai/gpt-5"]}; using the default, {}',
    ])
  })

  it.each([[null], [[4]], [true]])(
    "that are no number and no limits are taken for the number of all: %o",
    (concurrency) => {
      const { options, problems } = readOptions({ concurrency })
      expect(options.concurrency).toBe(8)
      expect(problems).toEqual([
        expect.stringMatching(
          /^option "concurrency" is .*: it must be a whole number, .*; using the default, 8$/,
        ),
      ])
    },
  )

  it("of the inspector are taken one by one", () => {
    const token = "x".repeat(32)
    const { options, problems } = readOptions({ inspector: { port: 8080, token, readOnly: "yes" } })
    expect(options.inspector).toMatchObject({ enabled: true, port: 8080, readOnly: false, token })
    expect(problems).toEqual([
      'option "inspector.readOnly" is "yes": it must be true or false; using the default, false',
    ])
  })

  it.each([
    ["concurrency", [1, 256], [0, 257, 1.5]],
    ["timeoutSeconds", [0.001, 2_000_000], [0, 2_000_001]],
    ["idleSeconds", [0.001, 2_000_000], [-1, 2_000_001]],
    ["depth", [1, 10], [0, 11, 1.5]],
    ["inspector.port", [0, 65_535], [-1, 65_536, 0.5]],
  ])("%s has bounds: %o are in, %o are not", (name, good, bad) => {
    const [key = "", inner] = name.split(".")
    const problemsOf = (value: number) =>
      readOptions({ [key]: inner === undefined ? value : { [inner]: value } }).problems
    for (const value of good) expect(problemsOf(value), `${value}`).toEqual([])
    for (const value of bad) expect(problemsOf(value), `${value}`).toHaveLength(1)
  })

  it("are all described, for those who write them with the schema", () => {
    const described = (schema: z.ZodObject) =>
      Object.values(schema.shape).every((field) => (field.description?.length ?? 0) > 10)
    expect([described(Options), described(Options.shape.inspector.unwrap())]).toEqual([true, true])
  })

  it("say in their schema how long a token is", () => {
    const schema = z.toJSONSchema(Options.shape.inspector.unwrap())
    expect(schema.properties?.token).toMatchObject({ type: "string", minLength: 32 })
  })

  it("start no inspector where it is wrong who may reach it, and say all of that at once, without the token", () => {
    const inspectorOf = (inspector: object) => {
      const { options, problems } = readOptions({ inspector })
      return [options.inspector.enabled, ...problems]
    }
    const otherHost = "it must be 127.0.0.1 or ::1; no inspector runs"
    const longer =
      "it must have at least 32; no inspector runs (`openssl rand -hex 32` makes a token that is long enough)"
    expect(inspectorOf({ host: "0.0.0.0", token: "short", port: "any" })).toEqual([
      false,
      `option "inspector.host" is "0.0.0.0": ${otherHost}`,
      `option "inspector.token" has 5 characters: ${longer}`,
      'option "inspector.port" is "any": it must be a whole number, at least 0 and at most 65535; using the default, 0',
    ])
    expect(inspectorOf({ host: 7 })).toEqual([false, `option "inspector.host" is 7: ${otherHost}`])
    expect(inspectorOf({ token: 7 })).toEqual([
      false,
      expect.stringMatching(
        /^option "inspector\.token" is 7: it must be text of at least 32 characters; no inspector runs/,
      ),
    ])
    for (const host of ["::", "192.168.1.2", "example.org", "::ffff:10.0.0.1"])
      expect(inspectorOf({ host })[0], host).toBe(false)
    for (const host of ["127.0.0.1", "127.1.2.3", "::1"]) expect(inspectorOf({ host })).toEqual([true])
  })

  it("names every wrong one", () => {
    expect(readOptions({ concurrency: "many", depth: 0, colour: "red" }).problems).toHaveLength(3)
  })
})
