import { afterAll, beforeAll, expect, test } from "vitest"
import { isDeep } from "../support/depth.ts"
import { describeBoth } from "../support/generations.ts"
import { held } from "../support/jobs.ts"
import { processesWith } from "../support/processes.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { startTui, type Tui } from "../support/tui.ts"
import { poll } from "../support/waiters.ts"
import { answersInTheTerminal, inquirer, token } from "./tui/answers.ts"

/** The first prompt of a fresh terminal takes several seconds. Milliseconds. */
const slowly = 30_000

describeBoth("A person at the terminal", ({ generation, tools }) => {
  // opencode 2 shows its prompt before its server is there to take one.
  const ready = generation === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/
  let model: ScriptedModel
  let tui: Tui

  beforeAll(async () => {
    model = await startScriptedModel()
    const config = { permission: { "*": "allow", bash: "ask", shell: "ask" }, agent: inquirer }
    tui = await startTui(
      { model, config, plugin: { options: { colour: "red", depth: 0, inspector: { token } } } },
      generation,
    )
    await tui.waitForScreen(ready, slowly)
  })

  afterAll(async () => {
    await tui?.stop()
    await model.stop()
    await poll("the end of all that ran in it", () => processesWith(tui.home).length === 0 || undefined)
  })

  test("sees what their words set off, what is wrong in the options, and the answer", async () => {
    const jobs = { alpha: held(), beta: held() }
    model.on("look into alpha", jobs.alpha.reply)
    model.on("look into beta", jobs.beta.reply)
    // Behind the results that it is handed.
    model.on(({ text }) => text.endsWith("sum it up"), { type: "text", text: "Both are fine." })
    model.script("research both", [
      {
        type: "tool",
        calls: [
          {
            name: "agents_start",
            args: {
              tasks: [
                { id: "alpha", prompt: "look into alpha" },
                { id: "beta", prompt: "look into beta" },
                { id: "sum", prompt: "sum it up", needs: ["alpha", "beta"] },
              ],
            },
          },
        ],
      },
      { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
      { type: "text", text: "Both are looked into." },
    ])
    tui.type("research both")
    await tui.waitForScreen(/research both/)
    tui.press("Enter")
    await tui.waitForScreen(/option "colour" is[\s\S]*option "depth" is/, slowly)
    await tui.waitForScreen(/agents_start[\s\S]*agents_wait/, slowly)
    await model.waitFor(({ text }) => text === "look into beta", slowly)
    await tui.waitForScreen(
      /Jobs\s[\s\S]*2 running, 1 blocked[\s\S]*• alpha .* s\s[\s\S]*• beta .* s\s/,
      slowly,
    )
    await tui.waitForScreen(/· sum waits for alpha, beta/)
    jobs.alpha.release("Alpha is fine.")
    await tui.waitForScreen(
      /1 running, 1 blocked, 1 done[\s\S]*• beta [\s\S]*· sum waits for beta[\s\S]*✓ alpha done/,
      slowly,
    )
    jobs.beta.release("Beta as well.")
    await tui.waitForScreen(/Both are looked into\./, slowly)
    await tui.waitForScreen(/3 done[\s\S]*✓ beta done/, slowly)
    const waited = model.requests.findLast(({ text }) => text === "research both")
    expect(JSON.stringify(waited?.messages.at(-1))).toMatch(/Alpha is fine\..*Beta as well\./)

    await tui.click(/✓ beta done/)
    await tui.waitForScreen(/^(?![\s\S]*Both are looked into\.)[\s\S]*Beta as well\./, slowly)
    tui.leave()
    tui.press("C-x")
    tui.type("j")
    await tui.waitForScreen(/Jobs +esc/)
    tui.type("beta")
    await tui.waitForScreen(/Jobs +esc[\s\S]*beta[\s\S]*✓ beta +done/)
    tui.press("C-r")
    await tui.waitForScreen(/Prompt\s[\s\S]*Needed by\s[\s\S]*sum: done[\s\S]*Result\s[\s\S]*Beta as well\./)
    tui.press("Escape")
    await tui.waitForScreen(/Jobs +esc[\s\S]*✓ beta +done/)
    tui.press("C-o")
    await tui.waitForScreen(/^(?![\s\S]*Jobs +esc)[\s\S]*Both are looked into\./, slowly)
  })

  test("reads the jobs on a light screen, once they have switched to one", async () => {
    const before = brightnessOf("Jobs")
    tui.press("C-p")
    await tui.waitForScreen(/Commands +esc/)
    if (generation === 1) {
      tui.type("Switch to light")
      await tui.waitForScreen(/Switch to light mode/)
      tui.press("Enter")
    } else {
      tui.type("Color mode")
      await tui.waitForScreen(/Color mode +Settings/)
      tui.press("Enter")
      await tui.waitForScreen(/Settings +esc[\s\S]*● Color mode +system/)
      tui.press("Right")
      await tui.waitForScreen(/● Color mode +dark/)
      tui.press("Right")
      await tui.waitForScreen(/● Color mode +light/)
      tui.press("Escape")
    }
    await tui.waitForScreen(/^(?![\s\S]*(Commands|Settings) +esc)[\s\S]*Jobs\s/)
    // Bright on dark before, dark on bright now.
    expect(before).toBeGreaterThan(128)
    await poll("a dark heading", () => brightnessOf("Jobs") < 128 || undefined)
  })

  test("acts on a job with /troupe: cancels it, has it go on, reads, copies and opens it, and comes back", async () => {
    const job = held("half \u202ea")
    const result = "went \u001b[7mon\u202e"
    model.on("take your time", job.reply)
    model.on("go on then", { type: "text", text: result })
    model.script("hand it out", [
      {
        type: "tool",
        calls: [{ name: "agents_start", args: { tasks: [{ id: "gamma", prompt: "take your time" }] } }],
      },
      { type: "text", text: "It is handed out." },
    ])
    tui.type("hand it out")
    await tui.waitForScreen(/hand it out/)
    tui.press("Enter")
    await tui.waitForScreen(/It is handed out/, slowly)
    await tui.waitForScreen(/• gamma …half a/, slowly)

    tui.resize(100)
    await tui.waitForScreen(/^(?![\s\S]*• gamma)[\s\S]* 1 running · \/troupe/)
    tui.resize(200)
    await tui.waitForScreen(/^(?![\s\S]* · \/troupe)[\s\S]*• gamma …half a/)

    await find("gamma")
    tui.press("C-r")
    await tui.waitForScreen(/Prompt\s[\s\S]* take your time[\s\S]*Written so far\s[\s\S]*half \\u\{202e\}a/)
    tui.press("Escape")
    await tui.waitForScreen(/Jobs +esc[\s\S]*• gamma/)
    tui.press("C-g")
    await tui.waitForScreen(
      /(Open this link|The inspector, for ten minutes)[\s\S]*http:\/\/127\.0\.0\.1:\d+\/#link=/,
    )
    if (generation === 2) {
      tui.press("Escape")
      await tui.waitForScreen(/Jobs +esc/)
    }
    tui.press("C-d")
    await tui.waitForScreen(/Cancel gamma\?[\s\S]*Cancel the job/)
    tui.press("Enter")
    await model.waitFor(({ text, closed }) => text === "take your time" && closed)
    await tui.waitForScreen(/Jobs +esc[\s\S]*- gamma cancelled · take your time/, slowly)

    tui.press("C-s")
    await tui.waitForScreen(/Follow-up to gamma/)
    tui.type("go on then")
    tui.press("Enter")
    await tui.waitForScreen(/Jobs +esc[\s\S]*✓ gamma done · take your time/, slowly)

    tui.press("C-r")
    await tui.waitForScreen(
      /Prompt\s[\s\S]* go on then[\s\S]*Result\s[\s\S]* went \\u\{1b\}\[7mon\\u\{202e\}/,
    )
    tui.press("Escape")
    await tui.waitForScreen(/Jobs +esc[\s\S]*gamma[\s\S]*✓ gamma done/)

    const copied = tui.watchClipboard()
    tui.press("C-y")
    // Behind what it had written before, where the owner had not been given that yet.
    expect((await copied()).split("\n\n").at(-1)).toBe(result)

    tui.press("Enter")
    await tui.waitForScreen(/^(?![\s\S]*Jobs +esc)[\s\S]*take your time[\s\S]*go on then/, slowly)
    tui.press("C-x")
    tui.type("j")
    await tui.waitForScreen(/Jobs +esc[\s\S]*gamma[\s\S]*✓ gamma done/)
    tui.press("C-o")
    await tui.waitForScreen(/^(?![\s\S]*Jobs +esc)[\s\S]*It is handed out/, slowly)
  })

  test("finds their way in a long list, and back to where they were", async () => {
    const jobs = held()
    model.on(({ text }) => text.startsWith("read module"), jobs.reply)
    const tasks = Array.from({ length: 24 }, (_, index) => ({
      id: `m${index + 1}`,
      prompt: `read module ${index + 1}`,
    }))
    model.script("read them all", [
      { type: "tool", calls: [{ name: "agents_start", args: { tasks } }] },
      { type: "text", text: "They are being read." },
    ])
    model.script("stop reading", [
      { type: "tool", calls: [{ name: "agents_cancel", args: { all: true } }] },
      { type: "text", text: "They have stopped." },
    ])
    tui.type("read them all")
    await tui.waitForScreen(/read them all/)
    tui.press("Enter")
    await tui.waitForScreen(/They are being read/, slowly)
    await tui.waitForScreen(/8 running, 16 queued[\s\S]*and \d+ more/, slowly)

    await find("m")
    await tui.waitForScreen(/24 jobs, started[\s\S]*• m1 /)
    tui.press("End")
    await tui.waitForScreen(/Jobs +esc(?![\s\S]*24 jobs, started)[\s\S]*✓ gamma +done/)
    tui.press("Home")
    await tui.waitForScreen(/24 jobs, started[\s\S]*• m1 /)
    for (let page = 0; page < 2; page++) tui.press("NPage")
    tui.press("Enter")
    await tui.waitForScreen(/^(?![\s\S]*(Jobs +esc|They are being read))/, slowly)
    tui.press("C-x")
    tui.type("j")
    await tui.waitForScreen(/Jobs +esc[\s\S]* m\s[\s\S]* m21 /)
    tui.press("C-o")
    await tui.waitForScreen(/^(?![\s\S]*Jobs +esc)[\s\S]*They are being read/, slowly)
    tui.type("stop reading")
    await tui.waitForScreen(/stop reading/)
    tui.press("Enter")
    await tui.waitForScreen(/They have stopped/, slowly)
  })

  test.runIf(isDeep)("finds their way among two hundred jobs", async () => {
    const pages = held()
    model.on(({ text }) => text.startsWith("read page"), pages.reply)
    const task = (index: number) => ({ id: `p${index}`, prompt: `read page ${index}` })
    const calls = [0, 50, 100, 150].map((first) => ({
      name: "agents_start",
      args: { tasks: Array.from({ length: 50 }, (_, index) => task(first + index + 1)) },
    }))
    model.script("read the book", [
      { type: "tool", calls },
      { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
      { type: "text", text: "The book is read." },
    ])
    tui.type("read the book")
    await tui.waitForScreen(/read the book/)
    tui.press("Enter")
    await tui.waitForScreen(/8 running, 192 queued[\s\S]*and \d+ more/, slowly)
    pages.release("read")
    await tui.waitForScreen(/The book is read\./, 4 * slowly)
    await tui.waitForScreen(/ \d+ done/)

    await find("p137")
    await tui.waitForScreen(/✓ p137 +done/)
    tui.press("C-u")
    await tui.waitForScreen(/Jobs +esc[\s\S]*50 jobs, started/)
    tui.press("End")
    await tui.waitForScreen(/Jobs +esc(?![\s\S]*50 jobs, started)/)
    tui.press("Home")
    await tui.waitForScreen(/Jobs +esc[\s\S]*50 jobs, started/)
    tui.press("C-o")
    await tui.waitForScreen(/^(?![\s\S]*Jobs +esc)[\s\S]*The book is read/, slowly)
  })

  answersInTheTerminal({ terminal: () => ({ model, tui }), generation, tools })

  /** How bright these words are: 0 to 255. */
  function brightnessOf(words: string): number {
    const line =
      tui
        .styledScreen()
        .split("\n")
        .find((each) => each.includes(words)) ?? ""
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as terminals write it
    const colours = [...line.slice(0, line.indexOf(words)).matchAll(/\u001b\[[\d;]*38;2;(\d+);(\d+);(\d+)/g)]
    const [, ...parts] = colours.at(-1) ?? []
    return Math.max(...parts.map(Number))
  }

  /** Opens /troupe and finds the job there. */
  async function find(id: string): Promise<void> {
    tui.type("/troupe")
    await tui.waitForScreen(/\/troupe +Jobs of this project/)
    tui.press("Enter")
    await tui.waitForScreen(/Jobs +esc/)
    tui.type(id)
    await tui.waitForScreen(new RegExp(`Jobs +esc[\\s\\S]*${id}[\\s\\S]*\\S ${id}`))
  }
})
