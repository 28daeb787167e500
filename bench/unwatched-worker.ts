import { createTroupe as createForWarmUp } from "troupe:warm-up"
import { createTroupe as createWithHistory } from "troupe:with-history"
import { createTroupe as createWithInspector } from "troupe:with-inspector"
import { createTroupe as createWithoutHistory } from "troupe:without-history"
import { startInspector } from "../src/inspector/index.ts"
import type { JobInput } from "../src/machines/events.ts"
import { hasEnded, NO_USAGE } from "../src/machines/record.ts"
import type { createTroupe, Troupe } from "../src/machines/troupe.ts"

/**
 * Runs by itself, in Node (with --expose-gc) or Bun: `worker.mjs ROUNDS`. Prints as JSON what a job costs the actor
 * model, microseconds of CPU time: without the history that the inspector shows, with it, and with an inspector that
 * runs and at which nobody looks. Each arm has a copy of the troupe's code, or the first one to run would be the better
 * compiled one.
 */

const [rounds = 5] = process.argv.slice(2).map(Number)
/** Jobs measured at a time. */
const window = 200
const windowsPerRound = 10
/** Jobs in flight at a time. */
const batch = 20

function newTroupe(create: typeof createTroupe): Troupe {
  const troupe = create({
    concurrency: 8,
    effects: {
      openSession: async ({ owner, id }) => ({ session: `ses_${owner}_${id}` }),
      promptChild: async ({ job: { owner, id } }) => {
        for (const tool of ["read", "grep", "edit", "bash"])
          troupe.tell({ owner, id }, { type: "child.active", activity: { tool, at: Date.now() } })
        troupe.tell({ owner, id }, { type: "child.spent", usage: NO_USAGE })
        return { text: "It is in the parser.", usage: NO_USAGE }
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
  return troupe
}

let started = 0

function work(troupe: Troupe, jobs: number): Promise<void> {
  let left = jobs
  return new Promise((resolve) => {
    const unsubscribe = troupe.records.subscribe((record) => {
      if (!hasEnded(record) || --left > 0) return
      unsubscribe()
      resolve()
    })
    for (let index = 0; index < jobs; index++) troupe.start(newJob())
  })
}

function newJob(): JobInput {
  const at = Date.now()
  return {
    id: `j${started++}`,
    owner: "owner",
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

declare const Bun: { gc(force: boolean): void } | undefined
const collect = () => (typeof Bun === "undefined" ? globalThis.gc?.() : Bun.gc(true))

/** Microseconds of CPU time for each job: other programs on the machine do not count. */
async function cost(troupe: Troupe): Promise<number> {
  collect()
  const before = process.cpuUsage()
  for (let done = 0; done < window; done += batch) await work(troupe, batch)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / window
}

const watched = newTroupe(createWithInspector)
const inspector = await startInspector({
  source: { ...watched, name: "/projects/bench", concurrency: 8 },
  page: { html: "", js: "", css: "", machines: new Map() },
  registerFolder: false,
})
const arms = {
  without: newTroupe(createWithoutHistory),
  history: newTroupe(createWithHistory),
  inspector: watched,
}
const names = ["without", "history", "inspector"] as const
// Until the compiler knows all of it. What runs first of all it knows best: none of the arms.
await work(newTroupe(createForWarmUp), 1_000)
for (const name of names) await work(arms[name], 1_000)

const costs: Record<(typeof names)[number], number[]> = { without: [], history: [], inspector: [] }
for (let turn = 0; turn < rounds * windowsPerRound; turn++) {
  // All orders in turn: what ran before leaves its traces in the collector.
  const first = turn % names.length
  const order = [...names.slice(first), ...names.slice(0, first)]
  for (const name of turn % 2 ? order.toReversed() : order) costs[name].push(await cost(arms[name]))
}
await inspector.stop()
process.stdout.write(JSON.stringify(costs))
process.exit(0)
