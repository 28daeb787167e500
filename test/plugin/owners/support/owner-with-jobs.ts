import { expect, onTestFinished, vi } from "vitest"
import type { JobRecord } from "../../../../src/machines/record.ts"
import type { Host, OwnerMessage } from "../../../../src/plugin/host/port.ts"
import { Deliveries } from "../../../../src/plugin/owners/deliveries.ts"
import type { Inbox } from "../../../../src/plugin/owners/inbox.ts"
import type { HostDouble } from "../../support/host-double.ts"
import { askedBy } from "../../support/opencode-data.ts"
import { testServices } from "../../support/services.ts"

export type Setup = {
  /** Takes the place of the calls that deliveries make. */
  faults?: (host: HostDouble, inbox: Inbox) => Partial<Host>
  notify?: "batch" | "each" | "never"
  /** How many jobs. Default: one, `a`. */
  jobs?: number
}

/** An owner that has said something and has jobs at work. */
export async function ownerWithJobs({ faults = () => ({}), notify = "each", jobs = 1 }: Setup = {}) {
  const services = testServices({}, { idleSeconds: 100_000, timeoutSeconds: 100_000 })
  const { host, troupe, inbox } = services
  const words = { session: "owner", messageID: "msg_1", text: "hello" }
  host.said.set("owner", [askedBy({ ...words, agent: "plan", model: "fake/m2" })])
  const posted: OwnerMessage[] = []
  const observed: Host = { ...host, ...faults(host, inbox) }
  const defects: unknown[] = []
  const deliveries = new Deliveries({
    host: {
      ...observed,
      async deliver(message, turn) {
        const answer = await observed.deliver(message, turn)
        if (answer.ok) posted.push(message)
        return answer
      },
    },
    troupe,
    inbox,
    notify,
    notifySeconds: 60,
    now: Date.now,
    reportError: (error) => void defects.push(error),
  })
  onTestFinished(() => {
    deliveries.stop()
    expect(defects).toEqual([])
  })
  const ids = [..."abcdefghijklmnopqrstuvwxyz"].slice(0, jobs)
  await services.call("agents_start", { tasks: ids.map((id) => ({ id, prompt: `work of ${id}` })) })
  await vi.advanceTimersByTimeAsync(0)

  const record = (id = "a"): JobRecord => {
    const found = troupe.records.get("owner", id)
    if (!found) throw new Error(`no record of ${id}`)
    return found
  }
  return {
    ...services,
    posted,
    deliveries,
    ids,
    record,
    /** The ids of the jobs in each notification that was delivered. */
    told: () => posted.map(({ text }) => [...text.matchAll(/^<job id="([^"]+)"/gm)].map(([, id]) => id)),
    /** Where the deliveries under way stand. */
    states: () => [...deliveries.actors()].map(({ state }) => state),
    async finish(text = "the answer", id = "a") {
      host.prompts.findLast(({ prompt }) => prompt.text === `work of ${id}`)?.answer(text)
      await vi.advanceTimersByTimeAsync(0)
    },
    turn(what: "begins" | "ends", session = "owner") {
      deliveries.hear({ type: what === "begins" ? "session.busy" : "session.idle", session })
    },
    /** The conversation holds the results of these jobs, by whatever way. */
    deliver(...ids: string[]) {
      inbox.markDelivered(
        "owner",
        ids.map(record).map(({ session, run }) => ({ session, run })),
      )
    },
    /** A job that an earlier process had ended. */
    adopt(fields: Partial<JobRecord> = {}) {
      const { phase: _phase, text: _text, ...kept } = record()
      troupe.adopt({ ...kept, id: "old", session: "ses_old", state: "done", endedAt: 1, ...fields })
    },
  }
}
