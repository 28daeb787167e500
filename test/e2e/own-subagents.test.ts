import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import * as z from "zod"
import type { AnyProject } from "../support/any-opencode.ts"
import { builtInTools } from "../support/built-in-tools.ts"
import { serverOfWorker } from "../support/common.ts"
import { isDeep } from "../support/depth.ts"
import { held } from "../support/jobs.ts"
import { openProject2, projectConfig2, startOpencode2 } from "../support/opencode-2.ts"
import { opencode2Binary } from "../support/opencode-2-binary.ts"
import { Api } from "../support/opencode-2-server.ts"
import { service } from "../support/opencode-2-service.ts"
import { makeProject } from "../support/project.ts"
import {
  type ModelRequest,
  type Reply,
  type ScriptedModel,
  startScriptedModel,
  textOf,
} from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { isWanted } from "../support/wanted.ts"

/**
 * opencode 2's own subagents, without the plugin: the last column of the table in docs/comparison.md that sets them
 * beside opencode-troupe's. Each test is titled as its row. Where a newer opencode makes one fail, the row is to be corrected.
 */
const table = "Compared with opencode 2's own subagents"
const rows = rowsOf(readFileSync(join(import.meta.dirname, "..", "..", "docs", "comparison.md"), "utf8"))
const rowsHeld: string[] = []

/** A test that says, when it fails, what is to be done. */
function holds(
  row: string,
  words: string,
  run: () => void | Promise<void>,
  { isRun = true }: { isRun?: boolean } = {},
): void {
  rowsHeld.push(row)
  test.runIf(isRun)(`${row}: ${words}`, async () => {
    expect(rows.get(row), `docs/comparison.md says something else of "${row}"`).toBe(words)
    try {
      await run()
    } catch (error) {
      if (error instanceof Error)
        error.message = `The row "${row}" of docs/comparison.md is out of date; it says: ${words}. ${error.message}`
      throw error
    }
  })
}

/** The first and the last column of the table in a page. */
function rowsOf(page: string): Map<string, string> {
  const cells = page
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| |") && !line.startsWith("| ---"))
    .map((line) => line.slice(2, -2).split(" | "))
  return new Map(cells.map((row) => [row.at(0) ?? "", row.at(-1) ?? ""]))
}

describe.runIf(isWanted(2) && opencode2Binary() !== undefined)(table, () => {
  let model: ScriptedModel
  let oc: AnyProject
  let api: Api
  let offered: Awaited<ReturnType<typeof offeredTools>>

  beforeAll(async () => {
    model = await startScriptedModel()
    // Nothing is allowed but by opencode's own rules.
    oc = await openProject2({ model, plugin: false, config: { permission: {} } })
    api = new Api((await serverOfWorker(2)).url)
    offered = await offeredTools(oc, model)
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  holds("to install", "nothing", () => {
    expect(offered.direct).toContain("subagent")
  })

  holds("size of each request of the main agent", "none: its tool is always included", () => {
    expect(offered.direct).toContain("subagent")
  })

  holds("start", "one for each call; the calls of one message run in parallel", async () => {
    expect(offered.parameters.prompt).toMatchObject({ type: "string" })
    const owner = await oc.session()
    const work = [held(), held()]
    const turn = together(owner, "side by side", work)
    await allAtWork("side by side", 2)
    for (const each of work) each.release("done")
    await turn
  })

  holds("limit", "none: of 20 started, 20 ran at once", async () => {
    const owner = await oc.session()
    const work = Array.from({ length: 20 }, () => held())
    await together(owner, "one of many", work, { background: true })
    await allAtWork("one of many", 20)
    // Its subagents go with it: twenty results would be told in turns of their own.
    await oc.deleteSession(owner)
  })

  holds("timeouts", "none", () => {
    expect(
      Object.keys(offered.parameters).filter((name) => /time|idle|deadline|seconds/i.test(name)),
    ).toEqual([])
  })

  // What a call may say is all that there is to say: none of its words is for this.
  for (const [row, word] of [
    ["limits by provider and model", /limit|concurrency|provider/i],
    ["work that builds on other work", /need|depend|after|each|items/i],
    ["results that are data", /schema|format|json|output/i],
    ["isolation", /isolat|worktree|branch|directory|folder/i],
    ["checks", /check|verify|command|test/i],
    ["another model where one cannot be had", /fallback|models|instead/i],
    ["budget", /budget|token|cost/i],
  ] as const) {
    holds(row, "none", () => {
      expect(Object.keys(offered.parameters)).toContain("prompt")
      expect(Object.keys(offered.parameters).filter((name) => word.test(name))).toEqual([])
    })
  }

  holds("status, for the main agent", "none: it is told not to ask", async () => {
    expect(offered.ofSessions).toEqual(["subagent", "opencode.session_move", "opencode.session_rename"])
    const owner = await oc.session()
    const work = held()
    model.on("take your time", work.reply)
    const { output } = await subagent(owner, "take your time", { background: true })
    expect(output).toContain("DO NOT sleep, poll for progress, ask the subagent for status")
    work.release("taken")
    await told(owner, "taken")
  })

  holds("cancel", "by you alone, in the subagent's session", async () => {
    expect(offered.ofSessions).toEqual(["subagent", "opencode.session_move", "opencode.session_rename"])
    const owner = await oc.session()
    model.on("never ends", held().reply)
    await subagent(owner, "never ends", { background: true })
    const child = await firstAsked("never ends")
    await oc.abort(sessionOf(child))
    await told(owner, 'state="cancelled"')
    await model.waitFor((request) => request === child && request.closed)
  })

  holds("wait for several", "in the foreground: a message's calls return together", async () => {
    const owner = await oc.session()
    const work = [held(), held(), held()] as const
    const turn = together(owner, "awaited together", work)
    await allAtWork("awaited together", 3)
    work[0].release("the first result")
    work[1].release("the second result")
    await model.waitFor(
      () => asked("awaited together").filter(({ state }) => state === "answered").length === 2,
    )
    expect(requestsOf(owner)).toHaveLength(1)
    work[2].release("the third result")
    await turn
    expect(requestsOf(owner)).toHaveLength(2)
    for (const result of ["the first result", "the second result", "the third result"])
      expect(conversationOf(owner)).toContain(result)
  })

  holds(
    "results in the background",
    "a message for each, and up to one more model request for each",
    async () => {
      const owner = await oc.session()
      const work = [held(), held(), held()]
      await together(owner, "told one by one", work, { background: true })
      await allAtWork("told one by one", 3)
      expect(requestsOf(owner)).toHaveLength(2)
      for (const [index, each] of work.entries()) {
        each.release(`result ${index}`)
        await told(owner, `result ${index}`)
      }
      expect(requestsOf(owner)).toHaveLength(2 + 3)
      const texts = (await oc.userTexts(owner)).filter((text) => text.startsWith("<subagent "))
      expect(texts.map((text) => text.match(/result \d/g))).toEqual([
        ["result 0"],
        ["result 1"],
        ["result 2"],
      ])
    },
  )

  holds("a failed job", "the reason", async () => {
    const owner = await oc.session()
    model.script("fails", [
      { type: "tool", text: "half of it", calls: [{ name: "glob", args: { pattern: "*" } }] },
      { type: "error", status: 400, body: { error: { message: "it was too long" } } },
    ])
    const { error } = await subagent(owner, "fails")
    expect(error).toMatch(/^Subagent failed .*it was too long/)
    await subagent(owner, "fails", { background: true })
    await told(owner, 'state="error"')
    expect(conversationOf(owner).split('state="error"')[1]).toContain("it was too long")
    expect(conversationOf(owner)).not.toContain("half of it")
  })

  holds("a stopped job", '"Subagent cancelled"', async () => {
    const owner = await oc.session()
    model.on("is stopped", held("half of it").reply)
    await subagent(owner, "is stopped", { background: true })
    const child = sessionOf(await firstAsked("is stopped"))
    await oc.events.waitFor("text.streamed", ({ session }) => session === child)
    await oc.abort(child)
    await told(owner, "Subagent cancelled")
    expect(conversationOf(owner)).not.toContain("half of it")
  })

  holds(
    "the main agent's restrictions",
    "do not hold: a subagent of a main agent in plan mode wrote a file",
    async () => {
      const planner = await oc.session({ agent: "plan" })
      const write = (name: string) => builtInTools(2).write(join(oc.project, name), "text")
      const { name, args } = write("by-itself.txt")
      expect(await oc.callTool(planner, name, args)).toMatchObject({ status: "error" })
      model.script("write it for me", [{ type: "tool", calls: [write("by-its-subagent.txt")] }])
      await subagent(planner, "write it for me")
      const isThere = (file: string) => existsSync(join(oc.project, file))
      expect(["by-itself.txt", "by-its-subagent.txt"].map(isThere)).toEqual([false, true])
    },
  )

  holds("a further message to a running job; a follow-up", "the same call with its `sessionID`", async () => {
    const owner = await oc.session()
    const work = held()
    model.on("begin with this", work.reply)
    model.on("and mind that", { type: "text", text: "minded" })
    model.on("one question more", { type: "text", text: "answered" })
    await subagent(owner, "begin with this", { background: true })
    const sessionID = sessionOf(await firstAsked("begin with this"))
    await subagent(owner, "and mind that", { background: true, sessionID })
    work.release("begun")
    await told(owner, "minded")
    expect((await subagent(owner, "one question more", { sessionID })).output).toContain("answered")
    expect(await oc.children(owner)).toHaveLength(1)
  })

  holds("you press Esc", "in the foreground they stop, in the background they go on", async () => {
    const owner = await oc.session()
    const work = held()
    model.on("goes on", work.reply)
    model.on("stops", held().reply)
    await subagent(owner, "goes on", { background: true })
    const turn = subagent(owner, "stops")
    const stopped = await firstAsked("stops")
    await oc.abort(owner)
    await turn
    await model.waitFor((request) => request === stopped && request.closed)
    work.release("it went on")
    await told(owner, "it went on")
  })

  holds("moved to the background while it runs", "by you, at any time", async () => {
    const owner = await oc.session()
    const work = held()
    model.on("takes longer", work.reply)
    const turn = subagent(owner, "takes longer")
    await firstAsked("takes longer")
    await api.ask("POST", `session/${owner}/background`)
    expect((await turn).output).toContain("working in the background")
    work.release("longer, but done")
    await told(owner, "longer, but done")
  })

  holds("to watch", "each subagent's session", async () => {
    const owner = await oc.session()
    await subagent(owner, "to be watched")
    const [child] = await oc.children(owner)
    expect(await oc.userTexts(child?.id ?? "")).toEqual([expect.stringContaining("to be watched")])
  })

  holds("a crash of `opencode serve`", "lost; the main agent is never told", async () => {
    const own = await startOpencode2({ model, plugin: false })
    try {
      const owner = await own.session()
      model.on("is lost", held("half of it").reply)
      const args = { agent: "general", description: "Helps", prompt: "is lost", background: true }
      await own.callTool(owner, "subagent", args)
      await firstAsked("is lost")
      await own.kill()
      await own.restart()
      await own.say(owner, "what became of it?")
      expect(asked("is lost")).toHaveLength(1)
      expect(conversationOf(owner)).not.toMatch(/<subagent |half of it/)
    } finally {
      await own.stop()
    }
  })

  /** It takes four starts of opencode. */
  holds(
    "a crash of the background service",
    "**better**: resumed by itself, and the main agent is told at once",
    async () => {
      const folder = tempFolder("own-service")
      const [home, project] = [join(folder.path, "home"), join(folder.path, "project")]
      mkdirSync(home)
      makeProject(project, projectConfig2({ model, plugin: false }))
      const opencode = await service({ home, project })
      try {
        model.on("outlives it", held("half of it").reply)
        model.on("The server restarted", { type: "text", text: "outlived" })
        const args = { agent: "general", description: "Helps", prompt: "outlives it", background: true }
        model.script("hand it out", [{ type: "tool", calls: [{ name: "subagent", args }] }])
        await opencode.run("hand it out")
        const owner = model.requests.find(({ text }) => text.includes("hand it out"))?.session ?? ""
        await firstAsked("outlives it")
        await opencode.end("SIGKILL")
        await opencode.run("say hello")
        await told(owner, 'state="completed"')
        expect(conversationOf(owner)).toContain("outlived")
      } finally {
        await opencode.stop()
        folder.remove()
      }
    },
    { isRun: isDeep },
  )

  test("is compared row by row", () => {
    // `npm run bench` measures these.
    const measured = ["requests of the main agent's model for 8 jobs"]
    expect([...rowsHeld, ...measured].toSorted()).toEqual([...rows.keys()].toSorted())
  })

  interface Options {
    background?: true
    sessionID?: string
  }

  const call = (prompt: string, options: Options = {}) => ({
    name: "subagent",
    args: { agent: "general", description: "Helps", prompt, ...options },
  })

  /** Has the main agent start one, and waits until its turn is over. */
  function subagent(owner: string, prompt: string, options?: Options) {
    const { name, args } = call(prompt, options)
    return oc.callTool(owner, name, args)
  }

  /** Has the main agent start as many in one message, and waits until its turn is over. */
  async function together(
    owner: string,
    prompt: string,
    work: readonly { reply: Reply }[],
    options?: Options,
  ) {
    const prompts = work.map((_, index) => `${prompt}: ${index}.`)
    for (const [index, { reply }] of work.entries()) model.on(prompts[index] ?? "", reply)
    const words = `Hand out what is ${prompt}`
    model.script(words, [{ type: "tool", calls: prompts.map((each) => call(each, options)) }])
    await oc.say(owner, words)
  }

  /** What subagents with this prompt asked their model. */
  function asked(prompt: string): ModelRequest[] {
    return model.requests.filter(({ text }) => text.startsWith("You are a subagent") && text.includes(prompt))
  }

  const firstAsked = (prompt: string) => model.waitFor((request) => asked(prompt)[0] === request)

  const allAtWork = (prompt: string, count: number) =>
    model.waitFor(() => asked(prompt).filter(({ state }) => state === "open").length === count)

  const requestsOf = (session: string) => model.requests.filter((request) => request.session === session)

  /** What the main agent's model was sent last. */
  const conversationOf = (owner: string) => allTextOf(requestsOf(owner).at(-1))

  /** Waits until the main agent has read this, and has answered. */
  const told = (owner: string, text: string) =>
    model.waitFor(
      (request) =>
        request.session === owner && request.state === "answered" && allTextOf(request).includes(text),
    )
})

function sessionOf({ session }: ModelRequest): string {
  if (session === undefined) throw new Error("The request names no session")
  return session
}

const allTextOf = (request: ModelRequest | undefined) => request?.messages.map(textOf).join("\n") ?? ""

const Tools = z.object({
  tools: z.array(
    z.object({
      function: z.object({
        name: z.string(),
        parameters: z.object({ properties: z.record(z.string(), z.unknown()).default({}) }),
      }),
    }),
  ),
})

/** The tools that opencode offers the main agent: in its requests, and in the catalog behind the tool `execute`. */
async function offeredTools(oc: AnyProject, model: ScriptedModel) {
  const owner = await oc.session()
  const code = "return search({ limit: 500 }).items.map(({ path }) => path)"
  const { output } = await oc.callTool(owner, "execute", { code })
  const catalog = [...output.matchAll(/"tools\.([\w.]+)"/g)].map(([, path = ""]) => path)
  const request = model.requests.find(({ session }) => session === owner)
  const { tools } = Tools.parse(JSON.parse(request?.rawBody ?? ""))
  const direct = tools.map(({ function: { name } }) => name)
  const own = tools.find(({ function: { name } }) => name === "subagent")
  return {
    direct,
    ofSessions: [...direct, ...catalog].filter((name) =>
      /agent|session|task|job|status|cancel|interrupt/.test(name),
    ),
    parameters: own?.function.parameters.properties ?? {},
  }
}
