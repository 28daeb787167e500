import { writeFileSync } from "node:fs"
import { type Generation, nameOf } from "../test/support/any-opencode.ts"
import type { Tui } from "../test/support/tui.ts"
import { play } from "./docs/scene.ts"
import { drawScreen } from "./docs/screen.ts"

/**
 * Makes docs/terminal-sidebar-{1,2}.svg and docs/terminal-jobs-{1,2}.svg, the pictures of opencode's terminal in the
 * README: plays the scene in the real terminal of each generation. `npm run pictures` runs it.
 */

/** As few as there is a sidebar at, and as hold the list. */
const size = { columns: 122, lines: 38 }

for (const generation of [1, 2] as const) await take(generation)

async function take(generation: Generation): Promise<void> {
  const { tui, end } = await play(generation, size, { enabled: false })
  try {
    save(tui, generation, "sidebar", "The jobs of a session in opencode's sidebar")
    tui.press("C-p")
    await tui.waitForScreen(/Commands +esc/)
    tui.type("Jobs of this project")
    await tui.waitForScreen(/Jobs of this project[\s\S]*Jobs of this project/)
    tui.press("Enter")
    await tui.waitForScreen(/Search[\s\S]*Draft release notes/)
    save(tui, generation, "jobs", "The list of all jobs in opencode's terminal")
  } finally {
    await end()
  }
}

function save(tui: Tui, generation: Generation, what: "sidebar" | "jobs", title: string): void {
  const lines = tui.styledScreen().trimEnd().split("\n")
  const path = `docs/terminal-${what}-${generation}.svg`
  const description = `Taken in the real terminal of ${nameOf(generation)}.`
  const svg = drawScreen({ title, description, columns: size.columns, lines })
  writeFileSync(path, svg)
  console.log(`Written: ${path}, ${(svg.length / 1000).toFixed(1)} kB`)
}
