import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Generation } from "../../test/support/any-opencode.ts"
import { builtInTools } from "../../test/support/built-in-tools.ts"
import { held } from "../../test/support/jobs.ts"
import { type Reply, type ScriptedModel, startScriptedModel } from "../../test/support/scripted-model.ts"
import { scriptedProvider } from "../../test/support/stage.ts"
import { startTui, type Tui } from "../../test/support/tui.ts"

/** The first prompt of a fresh terminal takes long on a busy machine. Milliseconds. */
const slowly = 120_000

const request = "Get this project ready for release."

const schema = { type: "array", items: { type: "string" } }
const tasks = [
  { id: "scan", description: "List the modules", prompt: "Which modules are there?", schema },
  {
    id: "review",
    description: "Review {{item}}",
    prompt: "Review {{item}}.",
    each: { from: "scan" },
  },
  {
    id: "fix",
    description: "Fix the exporter",
    prompt: "The tests of the exporter fail. Fix it.",
    isolation: "worktree",
    check: { command: "npm test" },
  },
  { id: "licences", description: "Audit licences", prompt: "Do all licences permit a release?" },
  {
    id: "links",
    description: "Check the links",
    prompt: "Does every link in the documentation work?",
    model: "late/m1",
  },
  { id: "startup", description: "Profile the startup", prompt: "Why is the startup so slow?" },
  {
    id: "notes",
    description: "Draft release notes",
    prompt: "Write the release notes.",
    needs: ["review", "fix"],
  },
]

/** Fails until the exporter is there, and then takes for ever. */
const testScript = `import { existsSync } from "node:fs"
if (!existsSync("exporter.js")) process.exit(1)
setInterval(() => {}, 1_000)
`

export type Scene = { tui: Tui; end(): Promise<void> }

/**
 * Plays what the pictures in the README show, in the real terminal, up to a moment at which nearly everything that jobs
 * can do is to be seen: one asks, one retries, one is checked in its worktree, a group is half done, one is blocked, and
 * their budget is partly spent. It stays there.
 */
export async function play(
  generation: Generation,
  size: { columns: number; lines: number },
  inspector: { enabled: boolean },
): Promise<Scene> {
  const model = await startScriptedModel({ title: "Release 2.0" })
  script(model, generation)
  const shell = { "*": "allow", "node *": "ask" }
  const { fake } = scriptedProvider(model)
  const config = {
    permission: { "*": "allow", bash: shell, shell },
    provider: { fake, late: fake },
    enabled_providers: ["fake", "late"],
  }
  const plugin = { options: { concurrency: 5, notify: "never", inspector } }
  const tui = await startTui({ model, plugin, config }, generation)
  const end = async () => {
    await tui.stop()
    await model.stop()
  }
  try {
    writeFileSync(join(tui.project, "package.json"), '{ "scripts": { "test": "node test.mjs" } }\n')
    writeFileSync(join(tui.project, "test.mjs"), testScript)
    tui.resize(size.columns, size.lines)
    await tui.waitForScreen(generation === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/, slowly)
    tui.type(request)
    await tui.waitForScreen(/Get this project/, slowly)
    tui.press("Enter")
    // By then its first check is over.
    await model.waitFor(({ text, messages }) => isRed(text) && messages.at(-1)?.role === "tool", slowly)
    for (const seen of [/1 of 4 done/, /\? startup/, /↻ links/, /fix +checking/])
      await tui.waitForScreen(seen, slowly)
    return { tui, end }
  } catch (error) {
    await end()
    throw error
  }
}

function script(model: ScriptedModel, generation: Generation): void {
  const tools = builtInTools(generation)
  const start = { name: "agents_start", args: { tasks, budget: { tokens: 100_000 } } }
  model.script(request, [
    { type: "tool", calls: [start] },
    text("One agent reviews each module, others see to the rest. I will sum up what they find."),
  ])
  model.script("Which modules", [
    text('["the parser", "the cache", "the exporter", "the command line"]', { input: 8_200, output: 60 }),
  ])
  model.on("Review the parser", text("It reports errors without their line.", { input: 21_300, output: 900 }))
  model.on("Review the cache", held("Entries that have expired are read once more before").reply)
  model.on("Review the exporter", held("Large files are held in memory as a whole, so").reply)
  model.on("Review the command line", held("Relative paths are taken for").reply)
  // Its check begins twice: after its first answer, and after it has put right what that did not pass.
  model.script("tests of the exporter", [text("The exporter is fixed.", { input: 6_100, output: 400 })])
  model.script(
    ({ text }) => isRed(text),
    [
      { type: "tool", calls: [tools.write("exporter.js", "export const write = String\n")] },
      text("Now it is.", { input: 7_000, output: 300 }),
    ],
  )
  model.on("licences permit", {
    type: "error",
    status: 401,
    body: { error: { message: "Invalid API key" } },
  })
  model.on("every link", {
    type: "error",
    status: 503,
    headers: { "retry-after": "40" },
    body: { error: { message: "Overloaded" } },
  })
  model.script("startup so slow", [{ type: "tool", calls: [tools.shell("node --cpu-prof src/main.js")] }])
}

/** What the child is told whose check has not passed. */
const isRed = (words: string) => words.includes("does not count as done yet")

const text = (words: string, tokens = { input: 2_000, output: 100 }): Reply => ({
  type: "text",
  text: words,
  tokens,
})
