import { afterAll, beforeAll, expect, test } from "vitest"
import { describeBoth } from "../support/generations.ts"
import { held } from "../support/jobs.ts"
import { processesWith } from "../support/processes.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { scriptedProvider } from "../support/stage.ts"
import { startTui, type Tui } from "../support/tui.ts"
import { poll } from "../support/waiters.ts"

/** The first prompt of a fresh terminal takes several seconds. Milliseconds. */
const slowly = 30_000

describeBoth("A person who has a graph of jobs run", ({ generation }) => {
  const ready = generation === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/
  let model: ScriptedModel
  let tui: Tui

  beforeAll(async () => {
    model = await startScriptedModel()
    const { fake } = scriptedProvider(model)
    const config = { provider: { fake, late: fake }, enabled_providers: ["fake", "late"] }
    const options = { budget: { tokens: 2_500_000 }, inspector: { enabled: false } }
    tui = await startTui({ model, config, plugin: { options } }, generation)
    await tui.waitForScreen(ready, slowly)
  })

  afterAll(async () => {
    await tui?.stop()
    await model.stop()
    await poll("the end of all that ran in it", () => processesWith(tui.home).length === 0 || undefined)
  })

  test("sees how far a group is, what is on hold until when, who answered, and what is spent of the budgets", async () => {
    const second = held()
    model.on("find the files", { type: "text", text: '["login", "token", "cookie"]' })
    model.on("review login", { type: "text", text: "Fine.", tokens: { input: 11_000, output: 1_300 } })
    model.on(/^review (token|cookie)$/, second.reply)
    model.on(({ text, model }) => text.includes("ask elsewhere") && model === "m1", {
      type: "error",
      status: 429,
      headers: { "retry-after": "3000" },
      body: { error: { message: "Slow down" } },
    })
    model.on(({ text, model }) => text.includes("ask elsewhere") && model === "m2", {
      type: "text",
      text: "Here it is.",
    })
    const schema = { type: "array", items: { type: "string" } }
    const tasks = [
      { id: "scan", prompt: "find the files", schema },
      { id: "review", prompt: "review {{item}}", description: "Review {{item}}", each: { from: "scan" } },
      { id: "docs", prompt: "ask elsewhere", model: ["late/m1", "fake/m2"] },
      { id: "later", prompt: "come later", model: "late/m2", needs: ["docs"] },
      { id: "sum", prompt: "sum it up", needs: ["review", "later"] },
    ]
    model.script("do it all", [
      { type: "tool", calls: [{ name: "agents_start", args: { tasks, budget: { tokens: 100_000 } } }] },
      { type: "text", text: "It is under way." },
    ])
    tui.type("do it all")
    await tui.waitForScreen(/do it all/)
    tui.press("Enter")
    await tui.waitForScreen(/It is under way/, slowly)
    const shown = await tui.waitForScreen(/≡ review +1 of 3 done/, slowly)
    await tui.waitForScreen(/· later +on hold until \d\d:\d\d/, slowly)
    await tui.waitForScreen(/2 running, 1 on hold, 1 blocked/, slowly)
    await tui.waitForScreen(
      /batch budget: 12\.\dk of 100k tokens[\s\S]* budget: 12\.\dk of 2\.5M tokens/,
      slowly,
    )
    await tui.waitForScreen(/· sum +waits for review, later/)
    await tui.waitForScreen(/✓ docs +done, by fake\/m2/)
    expect(shown).not.toContain("{{item}}")

    tui.type("/troupe")
    await tui.waitForScreen(/\/troupe +Jobs of this project/)
    tui.press("Enter")
    await tui.waitForScreen(
      /Jobs +esc[\s\S]* on hold[\s\S]*batch budget: [\s\S]*≡ review +1 of 3 done · Review each item/,
    )
    tui.type("on hold")
    await tui.waitForScreen(/Jobs +esc[\s\S]*on hold until \d\d:\d\d \(late\) · come later/)
    tui.press("Escape")
    second.release("Fine, too.")
    await tui.waitForScreen(/≡ review +3 of 3 done/, slowly)
  })
})
