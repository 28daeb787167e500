import { describe, expect, it } from "vitest"
import { inspectCommand } from "../../src/inspector/discovery/command.ts"
import { worktreesCommand } from "../../src/plugin/worktrees/command.ts"
import { cli } from "./support/cli.ts"

describe("The command line", () => {
  it("explains itself, and each of its commands", async () => {
    const all = await cli({}, "--help")
    expect(all).toMatchObject({ code: 0, err: "" })
    expect(all.out).toContain(inspectCommand)
    expect(all.out).toContain(worktreesCommand)
    expect(await cli({}, "-h")).toEqual(all)
    for (const [name, command] of [
      ["inspect", inspectCommand],
      ["worktrees", worktreesCommand],
    ] as const) {
      const { code, out } = await cli({}, name, "--help")
      expect([code, out.startsWith(`Usage: ${command} `)]).toEqual([0, true])
      expect(await cli({}, "--help", name)).toMatchObject({ code: 0, out })
    }
    expect(await cli({}, "--version")).toMatchObject({ code: 0, out: "development\n" })
    expect(await cli({}, "worktrees", "-v")).toMatchObject({ code: 0, out: "development\n" })
  })

  it.each([
    ["No command given.", []],
    ["No command given.", ["--json"]],
    ["Unknown command: nope", ["nope"]],
    ["Unknown command: nope", ["nope", "--what"]],
  ])("says that it knows no such command, and which there are: %s", async (problem, args) => {
    expect(await cli({}, ...args)).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringMatching(new RegExp(`^${problem}[^\n]*\n\nUsage: `)),
    })
  })

  it.each([
    ["inspect takes options only, not: x", ["inspect", "x"]],
    ["worktrees takes options only, not: x y", ["worktrees", "x", "--json", "y"]],
    ["Unknown option: --nope", ["inspect", "--nope"]],
    ["Unknown option: --tidy", ["inspect", "--tidy"]],
    ["Unknown option: --opne", ["inspect", "--opne=1"]],
    ["Unknown option: -x", ["inspect", "-x"]],
    ["The option --open takes no value.", ["inspect", "--open=yes"]],
    ["Unknown option: --open", ["worktrees", "--open"]],
    ["Unknown option: -t", ["worktrees", "-t"]],
    ["Unknown option: --constructor", ["worktrees", "--constructor"]],
    ["The option --tidy takes no value.", ["worktrees", "--tidy=all"]],
    ["The option --discard needs the branch or the folder of a worktree", ["worktrees", "--discard"]],
    ["The option --discard needs the branch", ["worktrees", "--discard", "--yes"]],
    ["The option --discard needs the branch", ["worktrees", "--discard="]],
    ["The option --discard can be given once.", ["worktrees", "--discard", "a", "--discard", "b"]],
    ["Either --tidy or --discard: one at a time.", ["worktrees", "--tidy", "--discard", "a"]],
    ["The option --yes is only for --discard", ["worktrees", "--yes"]],
    ["The option --yes is only for --discard", ["worktrees", "--tidy", "--yes"]],
    ["With --json nothing is asked: --discard needs --yes.", ["worktrees", "--json", "--discard", "a"]],
  ])(
    "says in a line what is wrong with what a command is given, and in another who knows: %s",
    async (problem, args) => {
      const { code, out, err } = await cli({}, ...args)
      expect([code, out]).toEqual([2, ""])
      const [said = "", pointer, ...rest] = err.split("\n")
      expect(said).toMatch(new RegExp(`^${problem}`))
      expect(pointer).toBe(`See ${args[0] === "inspect" ? inspectCommand : worktreesCommand} --help`)
      expect(rest).toEqual([""])
    },
  )

  it("shows what is hidden in what it was given", async () => {
    const { err } = await cli({}, "nope\u001b[2J\u202e")
    expect(err).toContain("Unknown command: nope\\u{1b}[2J\\u{202e}\n")
  })
})
