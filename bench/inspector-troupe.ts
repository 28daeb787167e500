import { setTimeout as after } from "node:timers/promises"
import type { Source } from "../src/inspector/index.ts"
import { type JobRecord, NO_USAGE } from "../src/machines/record.ts"
import { createTroupe, type Troupe } from "../src/machines/troupe.ts"

/** Changes a second that the inspector must carry. */
const rate = 200

export type ChangingTroupe = { troupe: Troupe; source: Source; churn(ms: number): Promise<void> }

/** As many jobs as asked for, of which `churn` changes one after the other. */
export function changingTroupe(jobs: number): ChangingTroupe {
  const troupe = createTroupe({
    concurrency: 8,
    effects: {
      openSession: async ({ id }) => ({ session: `ses_${id}` }),
      promptChild: () => new Promise(() => {}),
      lookForAnswer: async () => {},
      recordEnd: async () => {},
      runCheck: () => Promise.reject(new Error("no job here has one")),
      leaveChild: ({ job: { prompt } }) => Promise.resolve({ prompt, changed: [] }),
      stopChild: async () => ({ text: undefined, usage: NO_USAGE }),
    },
  })
  const now = Date.now()
  for (let index = 0; index < jobs; index++) troupe.adopt(recordOf(index, now))
  let next = 0

  return {
    troupe,
    source: { ...troupe, name: "/projects/bench", concurrency: 8 },
    churn: async (ms) => {
      const end = Date.now() + ms
      let [done, started] = [0, Date.now()]
      while (Date.now() < end) {
        for (const due = ((Date.now() - started) / 1_000) * rate; done < due; done++) {
          // Jumps through the list, so that rows in view change too.
          next = (next + 7_919) % jobs
          troupe.adopt({ ...recordOf(next, now), description: `changed ${done} times over` })
        }
        await after(5)
      }
    },
  }
}

function recordOf(index: number, now: number): JobRecord {
  const startedAt = now - index * 100
  return {
    id: `j${index}`,
    session: `ses_bench_${index}`,
    owner: `ses_owner_${index % 20}`,
    description: `Look for the cause of failure ${index} in the parser's tests`,
    agent: "general",
    model: "anthropic/claude-sonnet-5",
    state: index % 3 === 0 ? "failed" : "done",
    ...(index % 3 === 0 && { error: { kind: "provider", message: "429 Too Many Requests" } }),
    run: 1,
    createdAt: startedAt - 1_000,
    startedAt,
    endedAt: startedAt + 60_000,
    usage: { input: 12_000, output: 900, reasoning: 0, cacheRead: 8_000, cacheWrite: 0, cost: 0.04 },
    activity: { text: "All tests of the parser pass now.", at: startedAt + 59_000 },
  }
}
