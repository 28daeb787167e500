import { describe, expect, it } from "vitest"
import * as z from "zod"
import { AskedThrough } from "../../../../src/plugin/host/v2/asked-through.ts"
import type { Call } from "../../../../src/plugin/host/v2/calls.ts"
import { Reader } from "../../../../src/plugin/host/v2/reading.ts"
import { askToRun } from "../../../../src/plugin/host/v2/shell-permission.ts"
import { Problems } from "../../../../src/plugin/util/problems.ts"
import { contextDouble } from "./support/context-double.ts"

const call: Call = {
  sessionID: "ses_owner",
  messageID: "msg_1",
  id: "call_1",
  agent: "build",
  signal: new AbortController().signal,
  progress: async () => {},
}

const Given = z.object({ command: z.string(), workdir: z.string() })
type Given = z.infer<typeof Given>

/** As 2.0.15: it asks, then misses the folder. */
const missesFolder = ({ workdir }: Given) => new Error(`Working directory does not exist: ${workdir}`)
const declined = (fields: object = {}) => ({ _tag: "Permission.DeclinedError", ...fields })

/** opencode's own tool `shell`, which fails with this. */
function shellOf(failsWith: (given: Given) => unknown) {
  const calls: { given: Given; call: Call }[] = []
  const execute = async (unread: object, call: Call) => {
    const given = Given.parse(unread)
    calls.push({ given, call })
    throw failsWith(given)
  }
  const list = async () => [
    { id: "read", execute },
    { id: "shell", execute },
  ]
  return { calls, list, commands: () => calls.map(({ given }) => given.command) }
}

function asking(list: () => Promise<unknown>) {
  const double = contextDouble({ directory: "/project/app" })
  const context = { ...double, tool: { ...double.tool, list } }
  const through = new AskedThrough()
  const reader = new Reader("2.0.15", new Problems())
  return {
    through,
    ask: (command: string, from = call) => askToRun({ context, reader, through }, from, command),
  }
}

const opened = (session: string) =>
  ({
    type: "request.opened",
    session,
    request: { id: "per_1", kind: "permission", text: "make" },
  }) as const

describe("The permission to run a command, on opencode 2", () => {
  it("is asked for by opencode's own tool, for the call that runs, in a folder that is not there", async () => {
    const shell = shellOf(missesFolder)
    expect(await asking(shell.list).ask("make test")).toEqual({ type: "granted" })
    expect(shell.calls).toEqual([{ given: { command: "make test", workdir: expect.any(String) }, call }])
    expect(shell.calls[0]?.given.workdir).toMatch(/^\/project\/app\/\.opencode-troupe-[\w-]+$/)
  })

  it("is asked for the shell itself as well, where not all shells read the command as opencode does", async () => {
    const shell = shellOf(missesFolder)
    expect(await asking(shell.list).ask("echo a &>b touch c")).toEqual({ type: "granted" })
    expect(shell.commands()).toEqual(["sh -c 'echo a &>b touch c'", "echo a &>b touch c"])
    const careful = shellOf((given) => (given.command.startsWith("sh") ? declined() : missesFolder(given)))
    expect(await asking(careful.list).ask("echo a &>b touch c")).toMatchObject({ type: "rejected" })
  })

  it("is not known where the tool ends without having missed the folder: it may have run", async () => {
    const execute = async () => {}
    const { ask } = asking(async () => [{ id: "shell", execute }])
    expect(await ask("make")).toEqual({ type: "failed", reason: "its tool `shell` looked for no folder" })
  })

  it.each<[string, unknown, object]>([
    ["by a rule", { _tag: "Permission.DeniedError" }, { type: "denied" }],
    [
      "by a person with words",
      declined({ feedback: "not today" }),
      { type: "rejected", feedback: "not today" },
    ],
    [
      "by opencode, which tells the tool",
      { error: declined({ feedback: "no" }) },
      { type: "rejected", feedback: "no" },
    ],
    ["by an error that is about something else", new Error("it fell"), { type: "failed", reason: "it fell" }],
    [
      "by the lack of another folder",
      new Error("Working directory does not exist: /project/app/.opencode-troupe-other"),
      { type: "failed", reason: "Working directory does not exist: /project/app/.opencode-troupe-other" },
    ],
  ])("is refused %s", async (_, thrown, refusal) => {
    expect(await asking(shellOf(() => thrown).list).ask("make")).toEqual(refusal)
  })

  it("cannot be had where opencode has no such tool", async () => {
    expect(await asking(async () => []).ask("make")).toEqual({
      type: "prevented",
      reason: expect.stringMatching(/^opencode 2\.0\.15 has no tool `shell`/),
    })
  })

  it("is asked for each folder outside first, which is seen from the project", async () => {
    const shell = shellOf(missesFolder)
    expect(await asking(shell.list).ask("cd ../it\\'s && cd '../a b' && make")).toEqual({ type: "granted" })
    expect(shell.commands().at(-1)).toBe("cd ../it\\'s && cd '../a b' && make")
    expect(shell.commands()).toContain("cd '/project/a b'")
  })

  it("is refused with the first folder that is", async () => {
    const shell = shellOf((given) =>
      given.command.startsWith("cd '/etc'") ? { _tag: "Permission.DeniedError" } : missesFolder(given),
    )
    expect(await asking(shell.list).ask("cd /etc && make")).toEqual({ type: "denied" })
    expect(shell.commands()).toEqual(["cd '/etc'"])
  })
})

describe("The permission to run a command, asked through the tools of an opencode that a reload has ended", () => {
  const ended = () => shellOf(() => declined())

  it("is asked for once more through those of this one, where nobody was asked", async () => {
    const [old, own] = [ended(), shellOf(missesFolder)]
    expect(await asking(own.list).ask("make", { ...call, builtIn: old.list })).toEqual({ type: "granted" })
    const calls = [...old.calls, ...own.calls].map(({ given, call }) => ({ command: given.command, call }))
    expect(calls).toEqual([
      { command: "make", call },
      { command: "make", call },
    ])
  })

  it("is refused where a person was asked in this session, and not asked for again", async () => {
    const own = shellOf(missesFolder)
    const { ask, through } = asking(own.list)
    const old = shellOf(() => {
      through.hear(opened(call.sessionID))
      return declined()
    })
    expect(await ask("make", { ...call, builtIn: old.list })).toEqual({ type: "rejected" })
    expect(own.commands()).toEqual([])
  })

  it("is asked for again where the person was asked in another session, or something else was heard", async () => {
    const own = shellOf(missesFolder)
    const { ask, through } = asking(own.list)
    const old = shellOf(() => {
      through.hear(opened("ses_other"))
      through.hear({ type: "request.closed", session: call.sessionID, request: "per_1" })
      return declined()
    })
    expect(await ask("make", { ...call, builtIn: old.list })).toEqual({ type: "granted" })
  })

  it("is refused where somebody says why, or a rule does, and where this opencode refuses", async () => {
    const own = shellOf(missesFolder)
    const { ask } = asking(own.list)
    const told = shellOf(() => declined({ feedback: "no" }))
    const denied = shellOf(() => ({ _tag: "Permission.DeniedError" }))
    expect(await ask("make", { ...call, builtIn: told.list })).toEqual({ type: "rejected", feedback: "no" })
    expect(await ask("make", { ...call, builtIn: denied.list })).toEqual({ type: "denied" })
    expect(own.commands()).toEqual([])
    expect(await asking(ended().list).ask("make")).toEqual({ type: "rejected" })
  })
})
