import { expect, test } from "vitest"
import type { OneGeneration } from "../../support/generations.ts"
import { inspect } from "../../support/inspect.ts"
import type { ModelRequest, Reply, ScriptedModel } from "../../support/scripted-model.ts"
import type { Tui } from "../../support/tui.ts"

/** Prompts in a terminal that is under way. Milliseconds. */
const slowly = 30_000

/** What an agent may ask that the tests of answers need in opencode.json. */
export const inquirer = {
  inquirer: { mode: "subagent", description: "Asks the user", permission: { question: "allow" } },
}

/** Of the inspector. */
export const token = "a-token-of-thirty-two-characters-or-more"

type Setting = { terminal: () => { model: ScriptedModel; tui: Tui } } & Pick<
  OneGeneration,
  "tools" | "generation"
>

/** A person who answers what jobs ask, in a session of which they know nothing else. */
export function answersInTheTerminal({ terminal, generation, tools }: Setting): void {
  test("answers what jobs ask, one request after the other, each of which they read in full", async () => {
    const { model, tui } = terminal()
    const command = `echo begins ${"0123456789".repeat(300)} && echo ends here`
    model.script("run it for me", [
      { type: "tool", calls: [tools.shell(command)] },
      { type: "text", text: "it ran" },
    ])
    const colour = { question: "Which colours?", header: "Colours", multiple: true }
    const size = { question: "Which size?", header: "Size" }
    const questions = [
      { ...colour, options: [option("Red"), option("Green"), option("Blue")] },
      { ...size, options: [option("Small"), option("Large")] },
    ]
    model.script("ask the user", [
      { type: "tool", calls: [{ name: "question", args: { questions } }] },
      { type: "text", text: "it knows" },
    ])
    await start("have both ask", [
      { id: "asker", prompt: "run it for me", description: "Runs it" },
      { id: "curious", prompt: "ask the user", agent: "inquirer" },
    ])
    await tui.waitForScreen(/2 waiting for you/, slowly)
    await tui.waitForScreen(/\? asker allow (bash|shell): echo b/)

    await callAnswer()
    const isFirst = await tui.waitForScreen(/(asker|curious) asks.* request 1 of 2 +esc/)
    const [answerFirst, answerSecond] = isFirst.includes("asker asks")
      ? [allowInFull, answerQuestions]
      : [answerQuestions, allowInFull]
    await answerFirst("request 1 of 2")
    await answerSecond("request 2 of 2")

    await tui.waitForScreen(/✓ asker done/, slowly)
    await tui.waitForScreen(/✓ curious done/, slowly)
    const told = (prompt: string) =>
      JSON.stringify(model.requests.findLast(({ text }) => text === prompt)?.messages.at(-1))
    expect(told("run it for me")).toContain("ends here")
    expect(told("ask the user")).toMatch(
      /"Which colours\?\\"=\\"Red, Blue, mauve\\".*"Which size\?\\"=\\"Large/,
    )

    async function allowInFull(count: string): Promise<void> {
      await tui.waitForScreen(
        new RegExp(`asker asks for permission: (bash|shell) +${count} +esc[\\s\\S]*Runs it`),
      )
      await tui.waitForScreen(/echo begins 01234/)
      for (let page = 0; page < 4; page++) tui.press("NPage")
      await tui.waitForScreen(/echo ends here/)
      tui.press("Enter")
    }

    async function answerQuestions(count: string): Promise<void> {
      await tui.waitForScreen(new RegExp(`curious asks, question 1 of 2 +${count} +esc`))
      await tui.waitForScreen(/Which colours\?[\s\S]*\[ \] Red +It is Red[\s\S]*\[ \] Blue/)
      tui.press("Enter", "Down", "Down", "Enter", "Down", "Enter")
      await tui.waitForScreen(/To curious/)
      tui.type("mauve")
      tui.press("Enter")
      await tui.waitForScreen(/\[x\] Red[\s\S]*\[ \] Green[\s\S]*\[x\] Blue[\s\S]*\[x\] mauve/)
      // The cursor is on what sends them.
      tui.press("Enter")
      await tui.waitForScreen(/question 2 of 2[\s\S]*Which size\?[\s\S]*Small[\s\S]*Large/)
      tui.press("Down", "Enter")
    }
  })

  test.runIf(generation === 2)(
    "passes on what is answered in the inspector, which cannot answer by itself",
    async () => {
      const { model, tui } = terminal()
      model.script("ask from afar", [
        { type: "tool", calls: [tools.question("Which colour?", "Red", "Blue")] },
        { type: "text", text: "it knows" },
      ])
      await start("have it ask from afar", [{ id: "afar", prompt: "ask from afar", agent: "inquirer" }])
      await tui.waitForScreen(/\? afar /, slowly)
      const [running] = await inspect(tui)
      const headers = {
        authorization: `Bearer ${token}`,
        "x-troupe": "1",
        "content-type": "application/json",
      }
      const get = async (path: string) => (await fetch(`${running?.url}/api/${path}`, { headers })).json()
      const { jobs } = await get("jobs?q=id:afar")
      const [{ id: ask }] = (await get(`jobs/${jobs[0].session}`)).requests
      const body = JSON.stringify({ ask, answers: [["Blue"]] })
      const path = `${running?.url}/api/jobs/${jobs[0].session}/answer`
      expect((await fetch(path, { method: "POST", headers, body })).status).toBe(202)
      await tui.waitForScreen(/✓ afar done/, slowly)
      const told = model.requests.findLast(({ text }) => text === "ask from afar")?.messages.at(-1)
      expect(JSON.stringify(told)).toContain("Blue")
    },
  )

  test("denies a permission and says what to do instead; the job's model reads it and goes on", async () => {
    const { model, tui } = terminal()
    model.script("clean up", [
      { type: "tool", calls: [tools.shell("true")] },
      { type: "text", text: "it does" },
    ])
    await start("have it clean up", [{ id: "cleaner", prompt: "clean up" }])
    await tui.waitForScreen(/\? cleaner allow (bash|shell): true\?/, slowly)
    await call("Jobs of this project")
    // The list begins at what needs the person.
    await tui.waitForScreen(/Jobs +esc[\s\S]*\? cleaner allow .* · clean up/)
    tui.press("C-a")
    await tui.waitForScreen(/cleaner asks for permission/)
    await tui.click(/Deny, and say/)
    await tui.waitForScreen(/To cleaner/)
    tui.press("Escape")
    await tui.waitForScreen(/cleaner asks for permission/)
    // A pointer at rest over the menu chooses nothing there.
    tui.press("Down", "Down", "Down", "Enter")
    await tui.waitForScreen(/To cleaner/)
    tui.type("use make clean")
    tui.press("Enter")
    await tui.waitForScreen(/Jobs +esc[\s\S]*✓ cleaner done/, slowly)
    tui.press("Escape")
    await tui.waitForScreen(/^(?![\s\S]*Jobs +esc)/)
    // A list of opencode's own chooses what comes to lie under a pointer at rest.
    tui.leave()
    // opencode 1.18 tells it with what the call came to, opencode 2 as a prompt of its own behind that.
    expect(model.requests.some(({ rawBody }) => rawBody.includes("use make clean"))).toBe(true)

    await callAnswer()
    await tui.waitForScreen(/No job waits for you\./)
  })

  test("is no longer asked what a job no longer waits for", async () => {
    const { model, tui } = terminal()
    const { reply, release } = later<Reply>()
    model.script("be brief", [{ type: "tool", calls: [tools.shell("true")] }])
    await start("have it be brief", [{ id: "brief", prompt: "be brief" }], reply)
    await tui.waitForScreen(/\? brief allow (bash|shell): true\?/, slowly)
    await callAnswer()
    await tui.waitForScreen(/brief asks for permission/)
    release({ type: "tool", calls: [{ name: "agents_cancel", args: { all: true } }] })
    // Nor is it in the way of the prompt any more, where opencode would leave it.
    await tui.waitForScreen(/^(?![\s\S]*(brief asks for permission|Permission required))/, slowly)
  })

  test("is told of a request and of a failure where no session is shown, and answers there", async () => {
    const { model, tui } = terminal()
    const { reply, release } = later<Reply>()
    model.script("come to it", [{ type: "text", text: "never said" }])
    const forget = model.on("come to it", () => {
      forget()
      return reply
    })
    await start("have it come to it", [{ id: "lone", prompt: "come to it", description: "Comes to it" }])
    await tui.waitForScreen(/• lone /, slowly)
    tui.type("/new")
    await tui.waitForScreen(/\/new +New session/)
    tui.press("Enter")
    await tui.waitForScreen(/^(?![\s\S]*• lone )/)

    release({ type: "tool", calls: [tools.shell("true")] })
    // A toast of opencode 2 can be clicked; that of 1.18 names the command.
    const asked = "lone \\(Comes to it\\) asks for permission:"
    const toast = generation === 1 ? `${asked}[^]*/troupe-answer` : `› Open[^]*${asked}`
    await tui.waitForScreen(new RegExp(toast), slowly)
    tui.type("/troupe-answer")
    await tui.waitForScreen(/\/troupe-answer +Answer the jobs that wait/)
    tui.press("Enter")
    await tui.waitForScreen(/lone asks for permission: (bash|shell)/)
    tui.press("Down", "Down", "Enter")
    await tui.waitForScreen(/lone failed: its turn ended/, slowly)
  })

  /** @param next what the agent does once they are started */
  async function start(words: string, tasks: object[], next?: Promise<Reply>): Promise<void> {
    const { model, tui } = terminal()
    model.script(words, [
      { type: "tool", calls: [{ name: "agents_start", args: { tasks } }] },
      { type: "text", text: "It is on its way." },
    ])
    if (next) {
      const isNext = ({ text, messages }: ModelRequest) => text === words && messages.at(-1)?.role === "tool"
      const forget = model.on(isNext, () => {
        forget()
        return next
      })
    }
    tui.type(words)
    await tui.waitForScreen(new RegExp(words))
    tui.press("Enter")
  }

  const callAnswer = () => call("Answer the jobs that wait")

  /** By the palette: a request of opencode's is in the way of the prompt. */
  async function call(title: string): Promise<void> {
    const { tui } = terminal()
    tui.press("C-p")
    await tui.waitForScreen(/Commands +esc/)
    tui.type(title)
    await tui.waitForScreen(new RegExp(`${title}[\\s\\S]*${title}`))
    tui.press("Enter")
  }
}

function later<Value>() {
  let release: (value: Value) => void = () => {}
  const reply = new Promise<Value>((resolve) => {
    release = resolve
  })
  return { reply, release: (value: Value) => release(value) }
}

const option = (label: string) => ({ label, description: `It is ${label}` })
