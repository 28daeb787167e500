import { afterAll, beforeAll, test } from "vitest"
import { describeBoth } from "../support/generations.ts"
import { held } from "../support/jobs.ts"
import { processesWith } from "../support/processes.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { startTui, type Tui } from "../support/tui.ts"
import { poll } from "../support/waiters.ts"

/** The first prompt of a fresh terminal takes several seconds. Milliseconds. */
const slowly = 30_000

describeBoth("A person whose job works in a worktree", ({ generation, tools }) => {
  const ready = generation === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/
  let model: ScriptedModel
  let tui: Tui
  const writing = held("the wall is")

  beforeAll(async () => {
    model = await startScriptedModel()
    const shell = { "*": "allow", "echo *": "ask" }
    const config = { permission: { "*": "allow", bash: shell, shell } }
    tui = await startTui(
      { model, config, plugin: { options: { inspector: { enabled: false } } } },
      generation,
    )
    await tui.waitForScreen(ready, slowly)
  })

  afterAll(async () => {
    await tui?.stop()
    await model.stop()
    await poll("the end of all that ran in it", () => processesWith(tui.home).length === 0 || undefined)
  })

  test("sees it retry, and answers what it asks", async () => {
    model.script("paint the wall", [
      { type: "error", status: 503, headers: { "retry-after": "3" }, body: { error: { message: "Busy" } } },
      { type: "tool", calls: [tools.shell("echo blue > wall.txt")] },
      writing.reply,
    ])
    const check = { command: "grep -q blue wall.txt" }
    const tasks = [{ id: "wall", prompt: "paint the wall", isolation: "worktree", check }]
    model.script("have it painted", [
      { type: "tool", calls: [{ name: "agents_start", args: { tasks } }] },
      { type: "text", text: "It is under way." },
    ])
    tui.type("have it painted")
    await tui.waitForScreen(/have it painted/)
    tui.press("Enter")
    await tui.waitForScreen(/↻ wall retrying in \d s: /, slowly)

    await tui.waitForScreen(/\? wall allow (bash|shell): echo/, slowly)
    tui.press("C-p")
    await tui.waitForScreen(/Commands +esc/)
    tui.type("Answer the jobs")
    await tui.waitForScreen(/Answer the jobs[\s\S]*Answer the jobs that wait/)
    tui.press("Enter")
    await tui.waitForScreen(/wall asks for permission: (bash|shell)[\s\S]*echo blue > wall\.txt/)
    tui.press("Enter")
    await tui.waitForScreen(/^(?![\s\S]*asks for permission)[\s\S]*• wall …the wall is/, slowly)
  })

  test("reads what it writes, on which branch, and what it has to pass", async () => {
    tui.type("/troupe")
    await tui.waitForScreen(/\/troupe +Jobs of this project/)
    tui.press("Enter")
    await tui.waitForScreen(/Jobs +esc[\s\S]*• wall +…the wall is · paint the wall/)
    tui.press("C-r")
    await tui.waitForScreen(
      /Branch\s[\s\S]*troupe\/\w+\/wall[\s\S]*not committed yet[\s\S]*Check\s[\s\S]*grep -q blue wall\.txt: has not run yet[\s\S]*Written so far\s[\s\S]*the wall is/,
    )
    tui.press("Escape")
    await tui.waitForScreen(/Jobs +esc[\s\S]*• wall/)
  })

  test("sees that it has ended, what it has changed, and that it has passed", async () => {
    writing.release(" blue")
    await tui.waitForScreen(/Jobs +esc[\s\S]*✓ wall +done, \+1 −0 in 1 file · paint the wall/, slowly)
    tui.press("C-r")
    await tui.waitForScreen(
      /Branch\s[\s\S]*troupe\/\w+\/wall[\s\S]*\+1 −0 in 1 file[\s\S]*Check\s[\s\S]*grep -q blue wall\.txt: passed in round 1[\s\S]*Result\s[\s\S]*the wall is blue/,
    )
  })
})
