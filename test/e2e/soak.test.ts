import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import * as z from "zod"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { isDeep } from "../support/depth.ts"
import { freePort } from "../support/free-port.ts"
import { describeBoth } from "../support/generations.ts"
import { jobsOf } from "../support/jobs.ts"
import { longRunning } from "../support/opencode-env.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

const laps = isDeep ? 5 : 3
const jobsInLap = 60

/**
 * A plugin with a tool that counts what the process holds, once its garbage is gone. On opencode 1.18 the process calls
 * itself over HTTP, and each of up to 64 idle connections holds its last request with forty functions: how many are
 * open, and what each was last asked, is chance, so they are closed first.
 */
const probeSource = `
import { heapStats } from "bun:jsc"
const closeIdleConnections = (server) =>
  Promise.all(
    Array.from({ length: 64 }, async () => {
      const answer = await fetch(new URL("/global/health", server), { headers: { connection: "close" } })
      await answer.text()
    }),
  )
const count = async () => {
  for (let round = 0; round < 3; round++) {
    Bun.gc(true)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { objects: heapStats().objectTypeCounts }
}
export default {
  id: "probe",
  server: async ({ serverUrl }) => ({
    tool: {
      probe: {
        description: "Probes",
        args: {},
        execute: async () => {
          await closeIdleConnections(serverUrl)
          return { output: "probed", metadata: await count() }
        },
      },
    },
  }),
  setup: (context) =>
    context.tool.transform((tools) =>
      tools.add({
        name: "probe",
        options: { codemode: false },
        description: "Probes",
        input: { type: "object", properties: {} },
        execute: async () => ({ content: "probed", metadata: await count() }),
      }),
    ),
}
`

const Probe = z.object({ objects: z.record(z.string(), z.number()) })
const root = join(import.meta.dirname, "../..")

type Kind = "fine" | "refused" | "busy once" | "nonsense" | "cancelled" | "late"

/** A third of the jobs has a fault, each kind as often. */
const faults: Kind[] = ["refused", "busy once", "nonsense", "cancelled", "late"]
const kindOf = (index: number): Kind =>
  index % 3 === 2 ? (faults[Math.floor(index / 3) % 5] ?? "fine") : "fine"

const ends: Record<Kind, { state: string; error?: string; requests: number[] }> = {
  fine: { state: "done", requests: [1] },
  refused: { state: "failed", error: "provider", requests: [1] },
  "busy once": { state: "done", requests: [2] },
  nonsense: { state: "failed", error: "provider", requests: [1] },
  // These may not have come to ask their model.
  cancelled: { state: "cancelled", error: "cancelled", requests: [0, 1] },
  late: { state: "timedOut", error: "total", requests: [0, 1] },
}

type ActorNode = { counts: Record<string, number>; children: ActorNode[] }
const ActorNode: z.ZodType<ActorNode> = z.object({
  counts: z.record(z.string(), z.number()),
  children: z.lazy(() => z.array(ActorNode)),
})

describeBoth("A long day", ({ start, generation }) => {
  const folder = tempFolder("soak")
  const token = "soak".repeat(8)
  let model: ScriptedModel
  let oc: AnyOpencode
  let inspector: string

  beforeAll(async () => {
    const port = await freePort()
    inspector = `http://127.0.0.1:${port}`
    const options = { concurrency: 16, notify: "never", inspector: { port, token } }
    model = await startScriptedModel()
    oc = await start({ model, config: pluginsOf(options), env: longRunning })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
    folder.remove()
  })

  function pluginsOf(options: object): Record<string, unknown> {
    const probe = join(folder.path, "probe")
    mkdirSync(probe)
    // opencode 2 takes a folder with a file of this name, 1.18 a file.
    writeFileSync(join(probe, "server.js"), probeSource)
    if (generation === 2) return { plugins: [{ package: root, options }, { package: probe }] }
    const url = (path: string) => pathToFileURL(path).href
    return { plugin: [[url(join(root, "dist", "server.js")), options], url(join(probe, "server.js"))] }
  }

  function scriptAll(): void {
    model.on(/^fine/, ({ text }) => ({ type: "text", text: `did ${text}` }))
    model.on(/^refused/, { type: "error", status: 400 })
    model.on(/^nonsense/, { type: "garbage" })
    model.on(/^(cancelled|late)/, { type: "silent" })
    model.script(/^busy once/, [
      { type: "error", status: 503, headers: { "retry-after-ms": "50" } },
      { type: "text", text: "did it in the end" },
    ])
  }

  /** Sixty jobs of an owner of their own; how each of them ended. */
  async function runLap(lap: number) {
    const owner = await oc.session()
    const tasks = Array.from({ length: jobsInLap }, (_, index) => {
      const kind = kindOf(index)
      const id = `${kind.replace(" ", "-")}-${index}`
      return { id, prompt: `${kind} ${lap} ${index}.`, ...(kind === "late" && { timeout: 2 }) }
    })
    await oc.callTool(owner, "agents_start", { tasks })
    const doomed = tasks.filter(({ id }) => id.startsWith("cancelled")).map(({ id }) => id)
    await oc.callTool(owner, "agents_cancel", { ids: doomed })
    const ids = tasks.map(({ id }) => id)
    const jobs = jobsOf(await oc.callTool(owner, "agents_wait", { ids }))
    await poll("every record to be written", async () => ((await areWritten(owner)) ? true : undefined), {
      everyMs: 150,
    })
    return jobs.map(({ id, state, error }, index) => ({
      id,
      state,
      error,
      prompt: tasks[index]?.prompt ?? "",
    }))
  }

  /** Records that are in no hurry are written a second later: what is under way then is no leftover. */
  async function areWritten(owner: string): Promise<boolean> {
    const jobs = await oc.stored(owner)
    return jobs.every(
      ({ record, deliveredRun }) => record.endedAt !== undefined && deliveredRun === record.run,
    )
  }

  /** What the process holds once it lets go of no more: what a lap has left may take a moment. */
  async function probe(last = Number.POSITIVE_INFINITY): Promise<z.infer<typeof Probe>> {
    const { metadata } = await oc.callTool(await oc.session(), "probe", {})
    const found = Probe.parse(metadata)
    const promises = found.objects.Promise ?? 0
    return promises < last - jobsInLap ? probe(promises) : found
  }

  /** The actors that live: the process, its projects, their supervisors, their jobs. */
  async function actors(): Promise<ActorNode> {
    const answer = await fetch(`${inspector}/api/actors`, { headers: { authorization: `Bearer ${token}` } })
    return ActorNode.parse(await answer.json())
  }

  test(`${laps * jobsInLap} jobs, a third of them faulty, end as they should, and leave nothing but their records`, async () => {
    scriptAll()
    const ended = await runLap(1)
    const before = await probe()
    for (let lap = 2; lap <= laps; lap++) ended.push(...(await runLap(lap)))
    const after = await probe()

    expect(ended).toHaveLength(laps * jobsInLap)
    const requests = new Map<string, number>()
    for (const { text } of model.requests) requests.set(text, (requests.get(text) ?? 0) + 1)
    for (const [index, { id, state, error, prompt }] of ended.entries()) {
      const end = ends[kindOf(index % jobsInLap)]
      expect({ id, state, error: error?.kind }).toEqual({ id, state: end.state, error: end.error })
      expect(end.requests).toContain(requests.get(prompt) ?? 0)
    }

    const { children: projects } = await actors()
    expect(projects[0]?.counts).toMatchObject({ busy: 0, waiting: 0, supervisors: 0 })
    expect(projects[0]?.children).toEqual([])

    // The first lap has warmed everything up. A record with its history is about ten plain objects; an actor that was
    // left would be a hundred, with as many functions.
    const jobs = (laps - 1) * jobsInLap
    const leftOfEach = (type: string) => ((after.objects[type] ?? 0) - (before.objects[type] ?? 0)) / jobs
    expect(leftOfEach("Object")).toBeLessThan(20)
    expect(leftOfEach("Function")).toBeLessThan(3)
    for (const type of ["Promise", "Timeout", "AbortSignal", "AbortController", "Map", "Set"]) {
      expect({ type, left: leftOfEach(type) }).toEqual({ type, left: expect.closeTo(0, 0) })
    }
  }, 180_000)
})
