import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { isNotification } from "../support/conversation.ts"
import { describeOn } from "../support/generations.ts"
import { held, jobsOf, recordOf } from "../support/jobs.ts"
import { startOpencode2 } from "../support/opencode-2.ts"
import { type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

const builtPlugin = pathToFileURL(join(import.meta.dirname, "..", "..", "dist", "server.js")).href

// 1.18 shows a message in the conversation as soon as it has it.
describeOn(
  2,
  "Results that opencode has taken, and not put into the owner's conversation before a kill",
  () => {
    const folder = tempFolder("begun")
    const plugin = join(folder.path, "plugin")
    /** While it is there, messages to owners start no turn, which would put them into the conversation at once. */
    const pausing = join(folder.path, "pausing")
    const taken = join(folder.path, "taken")
    /** The session that opencode cannot read. */
    const unreadable = join(folder.path, "unreadable")
    let model: ScriptedModel
    let opencode: AnyOpencode

    beforeAll(async () => {
      mkdirSync(plugin)
      writeFileSync(join(plugin, "server.js"), pausingPlugin({ pausing, taken, unreadable }))
      writeFileSync(pausing, "")
      model = await startScriptedModel()
      opencode = await startOpencode2({ model, plugin: { path: plugin } })
    })
    afterAll(async () => {
      await opencode?.stop()
      await model.stop()
      folder.remove()
    })

    test("are there once when the session is used again, though one is found later and their owner asks for them", async () => {
      const work = held("")
      model.on("the work", work.reply)
      const owner = await opencode.session()
      const tasks = ["first", "second"].map((id) => ({ id, prompt: `the work of the ${id}` }))
      const [, second] = jobsOf(await opencode.callTool(owner, "agents_start", { tasks }))
      await model.waitFor(({ text }) => text.endsWith("the work of the second"))
      work.release("what came of it")
      await poll("the message to the owner", async () => existsSync(taken) || undefined)
      await opencode.kill()
      rmSync(pausing)
      writeFileSync(unreadable, second?.session ?? "")
      await opencode.restart()
      expect((await opencode.userTexts(owner)).filter(isNotification)).toEqual([])

      await recordOf(opencode, owner, "first", ({ state }) => state === "done")
      await poll("the look in vain", async () => /cannot be read/.test(opencode.log()) || undefined)
      rmSync(unreadable)
      await opencode.callTool(owner, "agents_wait", {})
      await opencode.say(owner, "What do you know?")
      const asked = model.requests.findLast(({ session, text }) => session === owner && /you know/.test(text))
      const told = (asked?.messages ?? []).flatMap((message) => textOf(message).match(/<job id="\w+"/g) ?? [])
      expect(told).toEqual(['<job id="first"', '<job id="second"'])
    })
  },
)

/**
 * The built plugin over an opencode that takes its messages to owners as if it were killed right after that, and cannot
 * read one session.
 */
const pausingPlugin = ({
  pausing,
  taken,
  unreadable,
}: Record<"pausing" | "taken" | "unreadable", string>) => `
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import plugin from ${JSON.stringify(builtPlugin)}

function setup(context) {
  const synthetic = async (message) => {
    if (!existsSync(${JSON.stringify(pausing)})) return context.session.synthetic(message)
    const answer = await context.session.synthetic({ ...message, resume: false })
    writeFileSync(${JSON.stringify(taken)}, "")
    return answer
  }
  const read = async (given) => {
    const isUnreadable =
      existsSync(${JSON.stringify(unreadable)}) &&
      readFileSync(${JSON.stringify(unreadable)}, "utf8") === given.sessionID
    if (isUnreadable) throw new Error("it cannot be read")
    return context.session.context(given)
  }
  const session = new Proxy(context.session, {
    get: (target, key) => {
      if (key === "synthetic") return synthetic
      if (key === "context") return read
      const value = target[key]
      return typeof value === "function" ? value.bind(target) : value
    },
  })
  return plugin.setup({ ...context, session })
}

export default { ...plugin, setup }
`
