import { startScriptedModel } from "../test/support/scripted-model.ts"
import { startTui } from "../test/support/tui.ts"
import { held } from "../test/support/jobs.ts"
const gen = Number(process.argv[2]) as 1 | 2
const model = await startScriptedModel()
const jobs = { alpha: held("reading alpha"), beta: held(), gamma: held() }
for (const [k, j] of Object.entries(jobs)) model.on(`look into ${k}`, j.reply)
model.on("look into delta", { type: "error", status: 400 })
model.script("research all", [
  { type: "tool", calls: [{ name: "agents_start", args: { tasks: ["alpha", "beta", "gamma", "delta"].map((id) => ({ id, prompt: `look into ${id}` })) } }] },
  { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
  { type: "text", text: "All are looked into." },
])
const tui = await startTui({ model, plugin: { options: { concurrency: 2 } } }, gen)
await tui.waitForScreen(gen === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/, 60_000)
tui.type("research all"); await tui.waitForScreen(/research all/); tui.press("Enter")
const show = (t: string) => console.log(`=== ${t}\n${tui.screen().split("\n").map((l) => l.slice(150)).filter((l) => l.trim()).join("\n")}`)
await model.waitFor(({ text }) => text === "look into beta", 30_000)
await new Promise((r) => setTimeout(r, 2500)); show("running")
jobs.alpha.release("Alpha is fine.")
await new Promise((r) => setTimeout(r, 2500)); show("alpha done")
jobs.beta.release("Beta as well."); jobs.gamma.release("g")
await tui.waitForScreen(/All are looked into\./, 30_000)
await new Promise((r) => setTimeout(r, 1500)); show("all done")
await tui.stop(); await model.stop()
