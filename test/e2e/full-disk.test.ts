import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import * as z from "zod"
import { hasEnded, JobRecord } from "../../src/machines/record.ts"
import { StoredJob } from "../../src/plugin/records/stored-job.ts"
import { answered } from "../support/answered.ts"
import { inspect } from "../support/inspect.ts"
import { held, jobsOf } from "../support/jobs.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { copyHome } from "../support/prepared-home.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { noSmallDisk, type SmallDisk, smallDisk } from "../support/small-disk.ts"
import { type TempFolder, tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

const whyNot = noSmallDisk()
const token = "t".repeat(32)

describe.skipIf(whyNot !== undefined)(
  `While opencode's disk is full${whyNot ? ` (skipped: ${whyNot})` : ""}`,
  () => {
    let folder: TempFolder
    let disk: SmallDisk
    let model: ScriptedModel
    let opencode: Opencode

    beforeAll(async () => {
      folder = tempFolder("full-disk")
      const home = join(folder.path, "home")
      await copyHome(home)
      disk = smallDisk(join(home, ".local", "share", "opencode"))
      model = await startScriptedModel()
      const options = { notify: "never", inspector: { token } }
      opencode = await startOpencode({ model, home, plugin: { options } })
    })
    afterAll(async () => {
      await opencode.stop()
      await model.stop()
      disk.remove()
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

    /** The call of agents_wait, as the owner's conversation has it. */
    async function callInConversation(owner: string) {
      const messages = await answered("the messages", opencode.client.session.messages({ sessionID: owner }))
      return messages
        .flatMap((message) => message.parts)
        .find((part) => part.type === "tool" && part.callID === "call_wait")
    }

    async function stored(owner: string) {
      const children = await answered("the children", opencode.client.session.children({ sessionID: owner }))
      return children.map(({ metadata }) => StoredJob.parse(metadata?.troupe))
    }

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
      const parts = [{ type: "text" as const, text: "Hand out three, and wait" }]
      const turn = opencode.client.session.prompt({ sessionID: owner, parts })
      await opencode.events.waitFor(({ payload }) => {
        if (payload.type !== "message.part.updated") return false
        const { part } = payload.properties
        return part.type === "tool" && part.callID === "call_wait" && part.state.status === "running"
      })
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
      expect(await callInConversation(owner)).not.toMatchObject({ state: { status: "completed" } })
      // How these two ended came after the disk was full.
      const unwritten = (await stored(owner)).filter(({ record: { id } }) => id !== "ended")
      expect(unwritten.map(({ record }) => record.endedAt)).toEqual([undefined, undefined])

      disk.free()
      const kept = await poll(
        "all ends on record",
        async () => {
          const all = await stored(owner)
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
        async () => (await stored(owner)).every(({ deliveredRun }) => deliveredRun === 1) || undefined,
      )
    })
  },
)
