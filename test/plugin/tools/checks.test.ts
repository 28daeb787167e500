import { describe, expect, it, vi } from "vitest"
import type { StartPermission } from "../../../src/plugin/host/port.ts"
import { askForChecks, checkOf } from "../../../src/plugin/tools/start/checks.ts"
import type { Item } from "../../../src/plugin/tools/start/item.ts"
import { isolatedServices } from "../support/isolated.ts"

const agent = { name: "general", isSubagent: true, isHidden: false, rules: [] }

const sound = (name: string, command?: string): Item => ({
  name,
  agent,
  task: { prompt: name, ...(command !== undefined && { check: { command } }) },
})

/** What is asked of a person, and what becomes of the tasks. */
async function asked(items: readonly Item[], answers: Record<string, StartPermission> = {}) {
  const commands: string[] = []
  const call = {
    agent: "build",
    askToRun: async (command: string): Promise<StartPermission> => {
      commands.push(command)
      return answers[command] ?? { type: "granted" }
    },
  }
  return { commands, items: await askForChecks(items, call) }
}

describe("The permission to run the checks of a batch", () => {
  it("is asked for once for each command, in the order of the tasks", async () => {
    const batch = [sound("a", "make"), sound("b"), sound("c", "npm test"), sound("d", "make")]
    expect(await asked(batch)).toEqual({ commands: ["make", "npm test"], items: batch })
  })

  it("is asked for nothing that does not start", async () => {
    const batch: Item[] = [{ name: "a", refused: "no such agent" }, sound("b")]
    expect(await asked(batch)).toEqual({ commands: [], items: batch })
  })

  it("where it is refused, refuses the tasks with that command, and no others", async () => {
    const batch = [sound("a", "make"), sound("b", "npm test"), sound("c", "make"), sound("d")]
    const { items } = await asked(batch, { make: { type: "denied" } })
    const refused = '"build" may not run its check "make"'
    expect(items).toEqual([{ name: "a", refused }, batch[1], { name: "c", refused }, batch[3]])
  })

  it.each<[string, StartPermission, string]>([
    ["by the rules", { type: "denied" }, '"build" may not run its check "make"'],
    ["by a person", { type: "rejected" }, 'the user refused its check "make"'],
    [
      "by a person who says why",
      { type: "rejected", feedback: "not now" },
      'the user refused its check "make": not now',
    ],
    ["as nobody can be asked", { type: "prevented", reason: "no tool" }, "no tool"],
    [
      "as opencode gives no answer",
      { type: "failed", reason: "it fell" },
      'opencode did not say whether its check "make" is permitted: it fell',
    ],
  ])("is refused with words: %s", async (_, answer, refused) => {
    const { items } = await asked([sound("a", "make")], { make: answer })
    expect(items).toEqual([{ name: "a", refused }])
  })

  it("is refused in one short line, whatever the command is", async () => {
    const command = `echo\n${"long ".repeat(1_000)}`
    const { items } = await asked([sound("a", command)], { [command]: { type: "denied" } })
    const [{ refused } = { refused: "" }] = items.flatMap((item) => ("refused" in item ? item : []))
    expect(refused).toMatch(/^"build" may not run its check "echo long .*…"$/)
    expect(refused.length).toBeLessThan(250)
  })
})

it("A child is told twice that its answer did not pass where its task does not say how often", () => {
  expect(checkOf({ prompt: "a", check: { command: "make" } })).toEqual({ command: "make", attempts: 2 })
  expect(checkOf({ prompt: "a", check: { command: "make", attempts: 0 } })).toEqual({
    command: "make",
    attempts: 0,
  })
  expect(checkOf({ prompt: "a" })).toBeUndefined()
})

describe("A follow-up, whose answer is checked like the first", () => {
  /** A job that is done. `send` is permitted what is asked for then, or not. */
  async function done(check?: { command: string }) {
    const { call, host, start, finish } = isolatedServices()
    await start({ id: "a", prompt: "a", isolation: "worktree", ...(check && { check }) })
    await finish("a")
    const asked: string[] = []
    const send = (permission: StartPermission = { type: "granted" }) =>
      call(
        "agents_send",
        { id: "a", message: "go on" },
        {
          askToRun: async (command) => {
            asked.push(command)
            return permission
          },
        },
      )
    return { send, asked, host }
  }

  it("is asked for like a start: the owner may be free to do less by now", async () => {
    const { send, asked, host } = await done({ command: "true" })
    expect((await send()).title).toContain("Run 2 started")
    await vi.waitUntil(() => host.prompts.length === 2)
    // It is told to one that runs, whose check is permitted.
    await send()
    expect(asked).toEqual(["true"])
  })

  it("is not sent where that is refused", async () => {
    const { send, host } = await done({ command: "true" })
    await expect(send({ type: "rejected" })).rejects.toThrow(
      'the user refused its check "true". Nothing was sent.',
    )
    await expect(send({ type: "denied" })).rejects.toThrow('"build" may not run its check "true"')
    expect(host.prompts.length).toBe(1)
  })

  it.each<[string, StartPermission, string]>([
    ["is asked for", { type: "granted" }, "a: Run 2 started; agents_wait returns its result."],
    [
      "is not sent where that is refused",
      { type: "rejected" },
      'the user refused its check "true". Nothing was sent.',
    ],
  ])("that a message becomes whose job ends as it is sent %s", async (_, permission, ends) => {
    const { call, start, finish } = isolatedServices()
    await start({ id: "a", prompt: "a", isolation: "worktree", check: { command: "true" } })
    const asked: string[] = []
    const sent = call(
      "agents_send",
      { id: "a", message: "go on" },
      {
        ask: async () => {
          await finish("a")
          return { type: "granted" }
        },
        askToRun: async (command) => {
          asked.push(command)
          return permission
        },
      },
    )
    const end = await sent.then(
      ({ title }) => title,
      ({ message }) => message,
    )
    expect(asked).toEqual(["true"])
    expect(end).toBe(ends)
  })

  it("asks for nothing where there is no check", async () => {
    const { send, asked } = await done()
    await send({ type: "denied" })
    expect(asked).toEqual([])
  })
})
