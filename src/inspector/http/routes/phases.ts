import { Hono } from "hono"
import type { Sources } from "../../source.ts"
import type { PhasesAnswer } from "../api.ts"

/** What jobs spent their time on, for the timeline. */
export function phaseRoutes(sources: Sources): Hono {
  return new Hono().get("/", (c) => {
    const phases: PhasesAnswer["phases"] = {}
    for (const { source, record } of sources.jobs()) {
      const steps = source.history(record)
      if (record.run > 1 || steps.some(({ to }) => isTold(to)))
        phases[`${record.owner}/${record.id}`] = steps.map(({ at, to }) => [at, to])
    }
    return c.json({ phases } satisfies PhasesAnswer)
  })
}

/** Where a job was that its record does not say any more. */
const isTold = (place: string) =>
  /\.(blocked|retrying|permission|question|stopping)$|^prompting\.(opening|queued)$/.test(place)
