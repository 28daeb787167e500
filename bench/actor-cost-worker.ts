import type { JobInput } from "../src/machines/events.ts"
import { hasEnded, NO_USAGE } from "../src/machines/record.ts"
import { createTroupe, type Troupe } from "../src/machines/troupe.ts"

/** Runs by itself, in Node (with --expose-gc) or Bun: `worker.mjs ROUNDS JOBS_PER_OWNER`. Prints JSON. */

const [rounds = 5, perOwner = Number.MAX_SAFE_INTEGER] = process.argv.slice(2).map(Number)
/** Jobs measured at a time, on either side. */
const window = 200
const windowsPerRound = 10
const graphsPerRound = 6
/** Jobs that one call might start, and how many of them wait for each other in a row. */
const graph = { jobs: 500, depth: 10 }
/** Jobs in flight at a time. */
const batch = 20
/** An answer of usual length: a few sentences. */
const text = "It is in the parser, which takes the second colon of a line for the first. ".repeat(8)

/** A troupe, and how many jobs it has done. */
type Worked = { troupe: Troupe; done: number }

function newTroupe(): Worked {
  const troupe = createTroupe({
    concurrency: 8,
    effects: {
      openSession: async ({ owner, id }) => ({ session: `ses_${owner}_${id}` }),
      promptChild: async ({ job: { owner, id } }) => {
        troupe.tell({ owner, id }, { type: "child.active", activity: { tool: "bash", at: Date.now() } })
        troupe.tell({ owner, id }, { type: "child.spent", usage: NO_USAGE })
        // Fresh, as an answer from opencode would be, and not one string that all records share.
        return { text: Buffer.from(`${id}: ${text}`).toString(), usage: NO_USAGE }
      },
      lookForAnswer: async () => {},
      recordEnd: async () => {},
      runCheck: () => Promise.reject(new Error("no job here has one")),
      leaveChild: ({ job: { prompt } }) => Promise.resolve({ prompt, changed: [] }),
      stopChild: async () => ({ text: undefined, usage: NO_USAGE }),
    },
    reportError: (error) => {
      throw error
    },
  })
  return { troupe, done: 0 }
}

async function work(worked: Worked, jobs: number): Promise<void> {
  for (let left = jobs; left > 0; left -= batch) await workBatch(worked, Math.min(batch, left))
}

async function workBatch(worked: Worked, jobs: number): Promise<void> {
  const { troupe } = worked
  let left = jobs
  const ended = new Promise<void>((resolve) => {
    const unsubscribe = troupe.records.subscribe((record) => {
      if (!hasEnded(record) || --left > 0) return
      unsubscribe()
      resolve()
    })
  })
  for (let index = 0; index < jobs; index++) troupe.start(jobOf(worked.done++))
  await ended
}

function jobOf(index: number): JobInput {
  const at = Date.now()
  return {
    id: `j${index}`,
    owner: `owner${Math.floor(index / perOwner)}`,
    description: "Find the bug",
    prompt: "Find the bug in the parser.",
    agent: "general",
    createdAt: at,
    askedAt: at,
    run: 1,
    timeoutMs: 1_800_000,
    idleMs: 300_000,
  }
}

/** All at once, of one owner; in layers, where each job needs two of the layer before, or with nothing that needs another. */
async function workGraph(isLayered: boolean): Promise<void> {
  const { troupe } = newTroupe()
  const perLayer = graph.jobs / graph.depth
  let left = graph.jobs
  const ended = new Promise<void>((resolve) => {
    troupe.records.subscribe((record) => {
      if (hasEnded(record) && --left === 0) resolve()
    })
  })
  for (let index = 0; index < graph.jobs; index++) {
    const before = index - perLayer
    const next = before + 1 - ((before + 1) % perLayer === 0 ? perLayer : 0)
    const needs = before < 0 ? [] : [before, next].map((need) => ({ id: `j${need}`, on: "done" as const }))
    const job = { ...jobOf(index), owner: "owner" }
    troupe.start(isLayered && needs.length > 0 ? { ...job, needs } : job)
  }
  await ended
  troupe.stop()
}

/** Microseconds of CPU time for each job. */
async function graphCost(isLayered: boolean): Promise<number> {
  collectGarbage()
  const before = process.cpuUsage()
  await workGraph(isLayered)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / graph.jobs
}

/** Microseconds of CPU time for each job of a window: other programs on the machine do not count. */
async function cost(worked: Worked): Promise<number> {
  collectGarbage()
  const before = process.cpuUsage()
  await work(worked, window)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / window
}

type Bun = { gc(synchronously: boolean): void }

function collectGarbage(): void {
  const { gc, Bun: bun } = globalThis as { gc?: () => void; Bun?: Bun }
  if (bun) bun.gc(true)
  else if (gc) gc()
  else throw new Error("Run this with node --expose-gc, or in Bun")
}

async function heapUsed(): Promise<number> {
  // What was promised and timed has gone by then.
  await new Promise((resolve) => setTimeout(resolve, 20))
  collectGarbage()
  return process.memoryUsage().heapUsed
}

await work(newTroupe(), 2_000)
const before = await heapUsed()
const old = newTroupe()
await work(old, 20_000)
const heapBytesPerJob = ((await heapUsed()) - before) / old.done

const costs: { young: number[]; old: number[] } = { young: [], old: [] }
for (let index = 0; index < rounds * windowsPerRound; index++) {
  const young = newTroupe()
  await work(young, 100)
  const measureYoung = async () => costs.young.push(await cost(young))
  const measureOld = async () => costs.old.push(await cost(old))
  for (const measure of index % 2 ? [measureYoung, measureOld] : [measureOld, measureYoung]) await measure()
  young.troupe.stop()
}
const graphs: { flat: number[]; layered: number[] } = { flat: [], layered: [] }
for (let index = 0; index < rounds * graphsPerRound; index++) {
  for (const isLayered of index % 2 ? [true, false] : [false, true])
    (isLayered ? graphs.layered : graphs.flat).push(await graphCost(isLayered))
}
console.log(JSON.stringify({ ...costs, ...graphs, heapBytesPerJob }))
process.exit(0)
