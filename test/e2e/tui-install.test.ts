import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, test } from "vitest"
import { describeBoth } from "../support/generations.ts"
import { held } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { startTui, type Tui } from "../support/tui.ts"

/** opencode unpacks the package first. Milliseconds. */
const slowly = 60_000

// A checkout is what test/e2e/tui.test.ts has. A package gets Solid from opencode in another way.
describeBoth("The terminal of who has installed a tarball", ({ generation }) => {
  const folder = tempFolder("tarball")
  let model: ScriptedModel
  let tui: Tui

  beforeAll(async () => {
    const root = join(import.meta.dirname, "..", "..")
    const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder.path]
    const name = execFileSync("npm", pack, { cwd: root, encoding: "utf8" }).trim()
    model = await startScriptedModel()
    const path = `opencode-troupe@file:${join(folder.path, name)}`
    const config = generation === 1 ? { plugin: [path] } : {}
    tui = await startTui({ model, plugin: { path }, config }, generation)
  })
  afterAll(async () => {
    await tui?.stop()
    await model.stop()
    folder.remove()
  })

  test(
    "shows the jobs of the session",
    async () => {
      const job = held("half of it")
      model.on("work from a package", job.reply)
      const args = { tasks: [{ id: "packed", prompt: "work from a package" }] }
      model.script("hand it out", [
        { type: "tool", calls: [{ name: "agents_start", args }] },
        { type: "text", text: "It is handed out." },
      ])
      await tui.waitForScreen(generation === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/, slowly)
      tui.type("hand it out")
      await tui.waitForScreen(/hand it out/)
      tui.press("Enter")
      await tui.waitForScreen(/• packed …half of it/, slowly)
      job.release("the rest")
      await tui.waitForScreen(/✓ packed done/, slowly)
    },
    2 * slowly,
  )
})
