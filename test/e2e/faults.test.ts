import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { deliveredRuns } from "../../src/plugin/records/delivery-mark.ts"
import { isNotification } from "../support/conversation.ts"
import { isDeep } from "../support/depth.ts"
import { describeBoth } from "../support/generations.ts"
import { jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"
import { cases } from "./faults/cases.ts"
import { CALLS, type Way, ways } from "./faults/fault.ts"
import { promptOf, startingLate, type Trial } from "./faults/scenarios.ts"
import { openSite, type Site, type SiteKind } from "./faults/site.ts"

/** Longer than the plugin waits for an answer, or for a session. Milliseconds. */
const lateMs = (call: string) => (call === "createSession" || call === "subagent" ? 32_000 : 12_000)

/** A deep run tries every case in all ways; else it is one case of each call, in one. */
const tried: readonly Way[] = isDeep ? ways : ["error"]

describeBoth("When a call to opencode fails", (opencode) => {
  const all = cases[opencode.generation]
  const chosen = isDeep
    ? all
    : all.filter(
        ({ call, scenario }, index) =>
          scenario !== startingLate && all.findLastIndex((each) => each.call === call) === index,
      )
  const cells = tried.flatMap((way) => chosen.map((each) => ({ ...each, way, outcome: each.outcomes[way] })))

  let model: ScriptedModel
  /** Sites at which nothing is tried at the moment. */
  const free: Record<SiteKind, Site[]> = { idle: [], never: [], reloading: [] }

  beforeAll(async () => {
    model = await startScriptedModel()
  })
  afterAll(async () => {
    await Promise.all(
      Object.values(free)
        .flat()
        .map((site) => site.stop()),
    )
    await model.stop()
  })

  test("every call is among the cases", () => {
    expect([...new Set(all.map(({ call }) => call))].sort()).toEqual([...CALLS[opencode.generation]].sort())
  })

  describe.concurrent("", () => {
    test.for(cells)(
      "$way: $call while $when: $outcome",
      { timeout: 120_000 },
      async ({ call, way, scenario, when, outcome }, { onTestFailed }) => {
        const { site: kind } = scenario
        const site = free[kind].pop() ?? (await openSite({ opencode, model, kind }))
        onTestFailed(() => site.stop())
        const fault = { call, way, lateMs: lateMs(call) }
        const trial = { site, fault, name: `${call} ${way} while ${when}` }
        const { owner, outcome: seen } = await scenario.run(trial)
        expect(seen).toBe(outcome)
        await expectNothingLost(trial, owner, kind)
        free[kind].push(site)
      },
    )
  })
})

/** What holds after every fault. */
async function expectNothingLost({ site, name, fault }: Trial, owner: string, kind: SiteKind): Promise<void> {
  const { project, model } = site
  // A new job is none the worse, and whatever was left unread is handed over with it.
  model.on(`Afterwards: ${name}.`, { type: "text", text: "all is well" })
  const task = { id: "new", prompt: `Afterwards: ${name}.` }
  expect((await project.callTool(owner, "agents_start", { tasks: [task] })).output).toContain("Started: new")
  const waited = kind === "never" ? await project.callTool(owner, "agents_wait", {}) : undefined
  await poll("the new job's answer, and the owner's rest", async () => {
    const texts = waited?.output ?? (await project.userTexts(owner)).join("\n")
    return (texts.includes("all is well") && !(await project.isBusy(owner))) || undefined
  })
  const delivered = deliveredRuns(await project.messages(owner))
  const jobs = jobsOf(await project.callTool(owner, "agents_status", {}))

  // Each was asked once, and each end told once.
  const asked = model.requests.filter(({ text }) => text === promptOf({ name }))
  expect(asked.length).toBeLessThanOrEqual(1)
  for (const { id, session } of jobs) {
    const times = delivered.filter((each) => each.session === session && (session !== "" || each.id === id))
    expect(times, `how often ${id} was delivered`).toHaveLength(1)
  }

  // Each message to the owner was read by one turn.
  const read = model.requests.filter(({ session, text }) => session === owner && isNotification(text))
  expect(new Set(read.map(({ text }) => text)).size).toBe(read.length)

  // Each child is at rest, and its record says how it ended and that its owner knows.
  for (const { session, state } of jobs.filter(({ session }) => session !== "")) {
    const record = await poll(
      "the child's rest, and its record",
      async () => {
        const stored = (await project.stored(owner)).find((each) => each.session === session)
        return stored?.deliveredRun === 1 && !(await project.isBusy(session)) ? stored.record : undefined
      },
      { everyMs: 150 },
    )
    expect(record.state).toBe(state)
  }
  // A request that came twice made two sessions, of which the plugin knows one. What opencode 2 has begun to make
  // cannot be removed.
  const isDoubled = (fault.call === "createSession" || fault.call === "subagent") && fault.way === "twice"
  const isLeft = project.generation === 2 && jobs.some(({ error }) => error?.kind === "create")
  const expected = jobs.filter(({ session }) => session !== "").length + (isDoubled || isLeft ? 1 : 0)
  await poll(`${expected} children`, async () => {
    return (await project.children(owner)).length === expected || undefined
  })
}
