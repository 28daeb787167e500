import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { decodeMessage } from "../../src/plugin/host/v1/decode.ts"
import { deliveredRuns } from "../../src/plugin/records/delivery-mark.ts"
import { StoredJob } from "../../src/plugin/records/stored-job.ts"
import { answered } from "../support/answered.ts"
import { isDeep } from "../support/depth.ts"
import { jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"
import { cases } from "./faults/cases.ts"
import { CALLS, type Way, ways } from "./faults/fault.ts"
import { isBusy, promptOf, type Scenario, startingLate, type Trial } from "./faults/scenarios.ts"
import { openSite, type Site } from "./faults/site.ts"

/** Longer than the plugin waits for an answer, or for a session. Milliseconds. */
const late = { any: 12_000, createSession: 32_000 }

/** A deep run tries every case in all ways; else it is one case of each call, in one. */
const tried: readonly Way[] = isDeep ? ways : ["error"]
const chosen = isDeep
  ? cases
  : cases.filter(
      ({ call, scenario }, index) =>
        scenario !== startingLate && cases.findLastIndex((each) => each.call === call) === index,
    )
const cells = tried.flatMap((way) => chosen.map((each) => ({ ...each, way, outcome: each.outcomes[way] })))

let model: ScriptedModel

beforeAll(async () => {
  model = await startScriptedModel()
})
afterAll(async () => {
  await Promise.all([...free.idle, ...free.never].map((site) => site.stop()))
  await model.stop()
})

/** Sites at which nothing is tried at the moment. */
const free: Record<Scenario["notify"], Site[]> = { idle: [], never: [] }

describe.concurrent("When a call to opencode fails", () => {
  test("every call is among the cases", () => {
    expect([...new Set(cases.map(({ call }) => call))].sort()).toEqual([...CALLS].sort())
  })

  test.each(cells)(
    "$way: $call while $when: $outcome",
    async ({ call, way, scenario, when, outcome }) => {
      const { notify } = scenario
      const site = free[notify].pop() ?? (await openSite({ model, notify }))
      const fault = { call, way, lateMs: late[call === "createSession" ? call : "any"] }
      const trial = { site, fault, name: `${call} ${way} while ${when}` }
      const { owner, outcome: seen } = await scenario.run(trial)
      expect(seen).toBe(outcome)
      await expectNothingLost(trial, owner, notify)
      free[notify].push(site)
    },
    120_000,
  )
})

/** What holds after every fault. */
async function expectNothingLost(
  { site, name, fault }: Trial,
  owner: string,
  notify: Scenario["notify"],
): Promise<void> {
  // A new job is none the worse, and whatever was left unread is handed over with it.
  site.model.on(`Afterwards: ${name}.`, { type: "text", text: "all is well" })
  const task = { id: "new", prompt: `Afterwards: ${name}.` }
  expect((await site.callTool(owner, "agents_start", { tasks: [task] })).output).toContain("Started: new")
  if (notify === "never") await site.callTool(owner, "agents_wait", {})
  const delivered = await poll("the new job's answer, and the owner's rest", async () => {
    const messages = await answered("the messages", site.client.session.messages({ sessionID: owner }))
    const isOver = JSON.stringify(messages).includes("all is well") && !(await isBusy(site, owner))
    return isOver ? deliveredRuns(messages.map(decodeMessage)) : undefined
  })
  const jobs = jobsOf(await site.callTool(owner, "agents_status", {}))

  // Each was asked once, and each end told once.
  const asked = site.model.requests.filter(({ text }) => text === promptOf({ name }))
  expect(asked.length).toBeLessThanOrEqual(1)
  for (const { id, session } of jobs) {
    const times = delivered.filter((each) => each.session === session && (session !== "" || each.id === id))
    expect(times, `how often ${id} was delivered`).toHaveLength(1)
  }

  // Each child is at rest, and its record says how it ended and that its owner knows.
  const sessions = new Set(jobs.map(({ session }) => session))
  const children = await answered("the children", site.client.session.children({ sessionID: owner }))
  for (const { id } of children.filter(({ id }) => sessions.has(id))) {
    const record = await poll("the child's rest, and its record", async () => {
      const child = await answered("the child", site.client.session.get({ sessionID: id }))
      const stored = StoredJob.parse(child.metadata?.troupe)
      return stored.deliveredRun === 1 && !(await isBusy(site, id)) ? stored.record : undefined
    })
    expect(record.state).toBe(jobs.find(({ session }) => session === id)?.state)
  }
  // A request that came twice made two sessions, of which the plugin knows one.
  const extra = fault.call === "createSession" && fault.way === "twice" ? 1 : 0
  const expected = jobs.filter(({ session }) => session !== "").length + extra
  await poll(`${expected} children`, async () => {
    const left = await answered("the children", site.client.session.children({ sessionID: owner }))
    return left.length === expected || undefined
  })
}
