import { expect, it } from "vitest"
import { createWorktrees, type Worktrees } from "../../../src/plugin/worktrees/worktrees.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"

quietXState()

/** The worktrees of this user, with a note of what they are asked for. */
function noted(asked: string[]): Worktrees {
  return new Proxy(createWorktrees(), {
    get(target, name) {
      asked.push(String(name))
      return Reflect.get(target, name)
    },
  })
}

it("A job without isolation costs nothing of it: no worktree is made, looked for or asked about in all its life", async () => {
  const asked: string[] = []
  const { call, host } = testServices({}, {}, undefined, { worktrees: noted(asked) })
  const answers = async (prompt: string) => {
    await until(() => host.prompts.some((each) => each.prompt.text.includes(prompt)))
    host.prompts.find((each) => each.prompt.text.includes(prompt))?.answer("done")
  }
  await call("agents_start", { tasks: ["one", "two"].map((id) => ({ id, prompt: `do ${id}` })) })
  await answers("do one")
  expect(await call("agents_wait", { ids: ["one"] })).toMatchObject({ jobs: [{ state: "done" }] })
  await call("agents_send", { id: "one", message: "do more" })
  await answers("do more")
  await call("agents_wait", { ids: ["one"] })
  await call("agents_status", {})
  await call("agents_cancel", { ids: ["two"] })
  expect(asked).toEqual([])

  await call("agents_start", { tasks: [{ id: "isolated", prompt: "do it apart", isolation: "worktree" }] })
  await until(() => asked.includes("make"))
})
