import { writeFileSync } from "node:fs"
import { concurrency, request, scriptModel } from "../demo/script.ts"
import { type Generation, nameOf } from "../test/support/any-opencode.ts"
import { startScriptedModel } from "../test/support/scripted-model.ts"
import { startTui, type Tui } from "../test/support/tui.ts"
import { drawScreen } from "./docs/screen.ts"

/**
 * Makes docs/terminal-sidebar-{1,2}.svg and docs/terminal-jobs-{1,2}.svg, the pictures of opencode's terminal in the
 * README: types the demo's request into the real terminal of each generation. `npm run pictures` runs it.
 */

/** As few as there is a sidebar at, and as hold the list. */
const size = { columns: 122, lines: 32 }

for (const generation of [1, 2] as const) await take(generation)

async function take(generation: Generation): Promise<void> {
  const model = await startScriptedModel()
  scriptModel(model, generation, { called() {}, returned() {} })
  const options = { concurrency, inspector: { enabled: false } }
  const tui = await startTui({ model, plugin: { options } }, generation)
  try {
    tui.resize(size.columns, size.lines)
    await tui.waitForScreen(generation === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/, 60_000)
    tui.type(request)
    await tui.waitForScreen(/Get this project/)
    tui.press("Enter")
    // By now one has failed, one is in backoff, and some are queued or done.
    await tui.waitForScreen(/↻ links/, 60_000)
    save(tui, generation, "sidebar", "The jobs of a session in opencode's sidebar")
    tui.press("C-p")
    await tui.waitForScreen(/Commands +esc/)
    tui.type("Jobs of this project")
    await tui.waitForScreen(/Jobs of this project[\s\S]*Jobs of this project/)
    tui.press("Enter")
    await tui.waitForScreen(/Search[\s\S]*Compare other tools/)
    save(tui, generation, "jobs", "The list of all jobs in opencode's terminal")
  } finally {
    await tui.stop()
    await model.stop()
  }
}

function save(tui: Tui, generation: Generation, what: "sidebar" | "jobs", title: string): void {
  const lines = tui.styledScreen().trimEnd().split("\n")
  const path = `docs/terminal-${what}-${generation}.svg`
  const description = `Taken in the real terminal of ${nameOf(generation)} while the demo runs.`
  const svg = drawScreen({ title, description, columns: size.columns, lines })
  writeFileSync(path, svg)
  console.log(`Written: ${path}, ${(svg.length / 1000).toFixed(1)} kB`)
}
