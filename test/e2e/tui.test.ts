import { afterAll, beforeAll, expect, test } from "vitest"
import { describeBoth } from "../support/generations.ts"
import { held } from "../support/jobs.ts"
import { processesWith } from "../support/processes.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { startTui, type Tui } from "../support/tui.ts"
import { poll } from "../support/waiters.ts"

/** The first prompt of a fresh terminal takes several seconds. Milliseconds. */
const slowly = 30_000

describeBoth("A person at the terminal", ({ generation, tools }) => {
  // opencode 2 shows its prompt before its server is there to take one.
  const ready = generation === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/
  let model: ScriptedModel
  let tui: Tui

  beforeAll(async () => {
    model = await startScriptedModel()
    const config = { permission: { "*": "allow", bash: "ask", shell: "ask" } }
    tui = await startTui({ model, config, plugin: { options: { colour: "red", depth: 0 } } }, generation)
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
              ],
            },
          },
        ],
      },
      { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
      { type: "text", text: "Both are looked into." },
    ])
    await tui.waitForScreen(ready, slowly)
    tui.type("research both")
    await tui.waitForScreen(/research both/)
    tui.press("Enter")
    // opencode 2 shows toasts of its own part in the terminal alone.
    if (generation === 1) await tui.waitForScreen(/option "colour" is[\s\S]*option "depth" is/, slowly)
    await tui.waitForScreen(/agents_start[\s\S]*agents_wait/, slowly)
    await model.waitFor(({ text }) => text === "look into beta", slowly)
    await tui.waitForScreen(/Jobs\s[\s\S]*2 running[\s\S]*• alpha .* s\s[\s\S]*• beta .* s\s/, slowly)
    jobs.alpha.release("Alpha is fine.")
    await tui.waitForScreen(/1 running, 1 done[\s\S]*• beta [\s\S]*✓ alpha done/, slowly)
    jobs.beta.release("Beta as well.")
    await tui.waitForScreen(/Both are looked into\./, slowly)
    await tui.waitForScreen(/2 done[\s\S]*✓ beta done/, slowly)
    const waited = model.requests.findLast(({ text }) => text === "research both")
    expect(JSON.stringify(waited?.messages.at(-1))).toMatch(/Alpha is fine\..*Beta as well\./)
  })

  test("acts on a job with /troupe: cancels it, has it go on, reads, copies and opens it, and comes back", async () => {
    const job = held("half a")
    model.on("take your time", job.reply)
    model.on("go on then", { type: "text", text: "went on" })
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

    await find("gamma")
    tui.press("C-d")
    await tui.waitForScreen(/Cancel gamma\?/)
    tui.press("Enter")
    await model.waitFor(({ text, closed }) => text === "take your time" && closed)
    await tui.waitForScreen(/Jobs +esc[\s\S]*- gamma cancelled · take your time/, slowly)

    tui.press("C-s")
    await tui.waitForScreen(/Follow-up to gamma/)
    tui.type("go on then")
    tui.press("Enter")
    await tui.waitForScreen(/Jobs +esc[\s\S]*✓ gamma done · take your time/, slowly)

    tui.press("C-r")
    await tui.waitForScreen(/Prompt\s[\s\S]* go on then[\s\S]*Result\s[\s\S]* went on/)
    tui.press("Escape")
    await tui.waitForScreen(/Jobs +esc[\s\S]*gamma[\s\S]*✓ gamma done/)

    const copied = tui.watchClipboard()
    tui.press("C-y")
    expect(await copied()).toBe("went on")
    await tui.waitForScreen(/Copied to clipboard/)

    tui.press("Enter")
    await tui.waitForScreen(/^(?![\s\S]*Jobs +esc)[\s\S]*take your time[\s\S]*go on then/, slowly)
    tui.press("C-x")
    tui.type("j")
    await tui.waitForScreen(/Jobs +esc[\s\S]*gamma[\s\S]*✓ gamma done/)
    tui.press("C-o")
    await tui.waitForScreen(/^(?![\s\S]*Jobs +esc)[\s\S]*It is handed out/, slowly)
  })

  test("answers the permission request of a job, which opencode shows without its name", async () => {
    const { name, args } = tools.shell("true")
    model.script("run it for me", [
      { type: "tool", calls: [{ name, args }] },
      { type: "text", text: "it ran" },
    ])
    model.script("have it run", [
      {
        type: "tool",
        calls: [{ name: "agents_start", args: { tasks: [{ id: "asker", prompt: "run it for me" }] } }],
      },
      { type: "text", text: "It is on its way." },
    ])
    tui.type("have it run")
    await tui.waitForScreen(/have it run/)
    tui.press("Enter")
    await tui.waitForScreen(/1 waiting for you/, slowly)
    await tui.waitForScreen(/\? asker allow (bash|shell): true\?/)
    // The request is in the way of the prompt.
    tui.press("C-p")
    await tui.waitForScreen(/Commands +esc/)
    tui.type("Jobs of this project")
    await tui.waitForScreen(/Jobs of this project[\s\S]*Jobs of this project/)
    tui.press("Enter")
    await tui.waitForScreen(/Jobs +esc[\s\S]*\? asker allow .* · run it for me/)
    tui.press("C-a")
    await tui.waitForScreen(/asker: allow .* esc/)
    tui.press("Enter")
    await tui.waitForScreen(/Jobs +esc[\s\S]*✓ asker +done/, slowly)
    tui.press("Escape")
    await tui.waitForScreen(/^(?![\s\S]*Jobs +esc)/)
    expect(model.requests.filter(({ text }) => text === "run it for me")).toHaveLength(2)
  })

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
