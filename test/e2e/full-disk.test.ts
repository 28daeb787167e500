import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import * as z from "zod"
import { hasEnded, JobRecord } from "../../src/machines/record.ts"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { inspect } from "../support/inspect.ts"
import { held, jobsOf } from "../support/jobs.ts"
import { copyHome } from "../support/prepared-home.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { noSmallDisk, type SmallDisk, smallDisk } from "../support/small-disk.ts"
import { type TempFolder, tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

const whyNot = noSmallDisk()
const token = "t".repeat(32)

describeBoth(`While its disk is full${whyNot ? ` (skipped: ${whyNot})` : ""}`, ({ start, generation }) => {
  describe.skipIf(whyNot !== undefined)("", () => {
    let folder: TempFolder
    let disk: SmallDisk
    let model: ScriptedModel
    let opencode: AnyOpencode

    beforeAll(async () => {
      folder = tempFolder("full-disk")
      const home = join(folder.path, "home")
      if (generation === 1) await copyHome(home)
      else mkdirSync(home)
      disk = smallDisk(join(home, ".local", "share", "opencode"))
      model = await startScriptedModel()
      const options = { notify: "never", inspector: { token } }
      opencode = await start({ model, home, plugin: { options } })
    })
    afterAll(async () => {
      await opencode?.stop()
      await model.stop()
      disk?.remove()
      folder.remove()
    })

    const Listed = z.object({ jobs: z.array(JobRecord) })

    async function api(path: string, body?: object): Promise<unknown> {
      const [running] = await inspect(opencode)
      const headers = {
        authorization: `Bearer ${token}`,
        "x-troupe": "1",
        "content-type": "application/json",
      }
      const answer = await fetch(`${running?.url}/api/${path}`, {
        headers,
        ...(body && { method: "POST", body: JSON.stringify(body) }),
      })
      return answer.json()
    }

    const listed = async () => Listed.parse(await api("jobs")).jobs

    test("no end of a job and no result is lost", async () => {
      const runner = held("the first half, ")
      model.on("answer at once", { type: "text", text: "the answer that was there" })
      model.on("to be cancelled", { type: "hold", text: "begun", until: new Promise<string>(() => {}) })
      model.on("to answer meanwhile", runner.reply)
      model.script("Hand out three, and wait", [
        {
          type: "tool",
          calls: [
            {
              name: "agents_start",
              args: {
                tasks: [
                  { id: "ended", prompt: "answer at once" },
                  { id: "victim", prompt: "to be cancelled" },
                  { id: "runner", prompt: "to answer meanwhile" },
                ],
              },
            },
          ],
        },
        { type: "tool", calls: [{ name: "agents_wait", args: {}, id: "call_wait" }] },
      ])
      const owner = await opencode.session()
      // It cannot come to a good end.
      const turn = opencode.say(owner, "Hand out three, and wait").catch(() => {})
      await opencode.events.waitFor("tool.running", ({ call }) => call === "call_wait")
      const jobs = await poll("the end of the first", async () => {
        const all = await listed()
        return all.some(({ id, state }) => id === "ended" && state === "done") ? all : undefined
      })
      const session = (id: string) => jobs.find((job) => job.id === id)?.session

      disk.fill()
      await api(`jobs/${session("victim")}/cancel`, { reason: "not needed" })
      runner.release("the second half")
      await poll("the end of all", async () => (await listed()).every(hasEnded) || undefined)
      // opencode can store neither the answer of the wait nor anything else of this turn.
      await turn
      expect((await opencode.outcomeOf(owner, "call_wait"))?.status).not.toBe("completed")
      // How these two ended came after the disk was full.
      const unwritten = (await opencode.stored(owner)).filter(({ record: { id } }) => id !== "ended")
      expect(unwritten.map(({ record }) => record.endedAt)).toEqual([undefined, undefined])

      disk.free()
      const kept = await poll(
        "all ends on record",
        async () => {
          const all = await opencode.stored(owner)
          return all.every(({ record }) => record.endedAt !== undefined) ? all : undefined
        },
        { timeoutMs: 60_000 },
      )
      const states = kept.map(({ record, deliveredRun }) => [record.id, [record.state, deliveredRun]])
      expect(Object.fromEntries(states)).toEqual({
        ended: ["done", 0],
        victim: ["cancelled", 0],
        // opencode could not store its answer, and says so.
        runner: ["failed", 0],
      })
      const again = await opencode.callTool(owner, "agents_wait", {})
      expect(
        jobsOf(again)
          .map(({ id }) => id)
          .toSorted(),
      ).toEqual(["ended", "runner", "victim"])
      expect(again.output).toContain("the answer that was there")
      expect(again.output).toContain("the first half, the second half")
      expect(again.output).toContain('reason="not needed"')
      await poll(
        "their delivery, on record",
        async () =>
          (await opencode.stored(owner)).every(({ deliveredRun }) => deliveredRun === 1) || undefined,
      )
    })
  })
})
