import { startScriptedModel } from "../test/support/scripted-model.ts"
import { startTui } from "../test/support/tui.ts"
import { held } from "../test/support/jobs.ts"
const gen = Number(process.argv[2]) as 1 | 2
const model = await startScriptedModel()
const jobs = { alpha: held("reading alpha"), beta: held() }
for (const [k, j] of Object.entries(jobs)) model.on(`look into ${k}`, j.reply)
model.script("research all", [
  { type: "tool", calls: [{ name: "agents_start", args: { tasks: ["alpha", "beta"].map((id) => ({ id, prompt: `look into ${id}`, description: `Look into ${id}` })) } }] },
  { type: "text", text: "They are under way." },
])
const tui = await startTui({ model, plugin: { options: { concurrency: 2 } } }, gen)
const nap = (ms: number) => new Promise((r) => setTimeout(r, ms))
await tui.waitForScreen(gen === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/, 60_000)
tui.type("research all"); await tui.waitForScreen(/research all/); tui.press("Enter")
const show = (t: string) => console.log(`=== ${t}\n${tui.screen().split("\n").filter((l) => l.trim()).join("\n")}`)
await tui.waitForScreen(/under way/, 30_000)
await nap(1500)
tui.type("/troupe"); await nap(1500); tui.press("Enter"); await nap(1500); show("dialog")
tui.press("Enter"); await nap(1000); show("acts")
tui.press("Down"); await nap(300); tui.press("Enter"); await nap(1500); show("read")
tui.press("Escape"); await nap(800)
tui.type("/troupe"); await nap(1000); tui.press("Enter"); await nap(1000); tui.press("Enter"); await nap(800)
tui.press("Up"); await nap(500); tui.press("Enter"); await nap(800); show("confirm"); tui.press("Enter"); await nap(2500); show("cancelled")
await tui.stop(); await model.stop()
