import type { ActorRefFrom, SnapshotFrom } from "xstate"
import { placeOf } from "./history.ts"
import { recordOf } from "./job-record.ts"
import type { JobRecord } from "./record.ts"
import type { supervisorMachine } from "./supervisor-machine.ts"
import type { systemMachine } from "./system-machine.ts"

/** An actor that lives now, and those it answers for. */
export type ActorNode = {
  kind: "system" | "supervisor" | "job" | "delivery" | "budget" | "writer" | "turn"
  /** Unique among those of its kind under one parent. A supervisor's is its owner's session, a job's is the job's own. */
  id: string
  /** A job's `state.phase`; `active` for system and supervisor, whose states do not matter. */
  state: string
  /** The child session that it is about, once that is there. */
  session?: string
  counts: Record<string, number>
  children: ActorNode[]
}

type Supervisor = ActorRefFrom<typeof supervisorMachine>

/** The live actors as a tree. `recordsOf` gives an owner's records, ended ones included. */
export function actorTree(
  system: SnapshotFrom<typeof systemMachine>,
  recordsOf: (owner: string) => JobRecord[],
): ActorNode {
  const { owners, limits } = system.context
  const supervisors = owners.flatMap(({ id: owner }) => {
    const supervisor: Supervisor | undefined = system.children[owner]
    return supervisor ? [supervisorNode(owner, supervisor, recordsOf(owner))] : []
  })
  return {
    kind: "system",
    id: "system",
    state: system.status,
    counts: {
      supervisors: supervisors.length,
      slots: limits.bounds[0]?.most ?? 0,
      busy: limits.holders.length,
      waiting: limits.waiting.length,
    },
    children: supervisors,
  }
}

function supervisorNode(owner: string, supervisor: Supervisor, records: JobRecord[]): ActorNode {
  const { status, children } = supervisor.getSnapshot()
  const counts: Record<string, number> = {}
  for (const { state } of records) counts[state] = (counts[state] ?? 0) + 1
  const jobs = Object.values(children).flatMap((job) => (job ? [jobNode(recordOf(job.getSnapshot()))] : []))
  return { kind: "supervisor", id: owner, state: status, counts, children: jobs }
}

function jobNode(record: JobRecord): ActorNode {
  return {
    kind: "job",
    id: record.id,
    state: placeOf(record),
    ...(record.session !== "" && { session: record.session }),
    counts: { run: record.run, asks: record.asks?.length ?? 0 },
    children: [],
  }
}
