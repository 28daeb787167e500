import { startScriptedModel } from "../test/support/scripted-model.ts"
import { startTui } from "../test/support/tui.ts"
const model = await startScriptedModel()
model.on(/./, { type: "text", text: "hello there" })
const tui = await startTui({ model, plugin: false, config: { plugins: [{ package: "/work/tmp/tuiprobe" }] } }, 2)
const nap = (ms: number) => new Promise((r) => setTimeout(r, ms))
await tui.waitForScreen(/Ask anything[\s\S]*m1 fake/, 60_000)
await nap(1500)
tui.type("/pro"); await nap(2000)
console.log(tui.screen().split("\n").filter((l) => l.trim()).join("\n"))
tui.press("Enter"); await nap(1000)
await tui.stop(); await model.stop()
