import { expect, onTestFinished } from "vitest"
import * as z from "zod"
import { Ledger } from "../../../src/machines/ledger.ts"
import { JobRecord } from "../../../src/machines/record.ts"
import { createTroupe, type Troupe } from "../../../src/machines/troupe.ts"
import { childEffects } from "../../../src/plugin/children/effects.ts"
import { createMessenger } from "../../../src/plugin/children/messenger.ts"
import { Turns } from "../../../src/plugin/children/turns.ts"
import type { Host, ToolCall as HostCall } from "../../../src/plugin/host/port.ts"
import { Options } from "../../../src/plugin/options.ts"
import { Inbox } from "../../../src/plugin/owners/inbox.ts"
import { createLineage } from "../../../src/plugin/owners/lineage.ts"
import type { Holder } from "../../../src/plugin/records/lease.ts"
import { JobStore } from "../../../src/plugin/records/store.ts"
import { JOB_TOOLS, type JobTool, jobTools } from "../../../src/plugin/tools/index.ts"
import { StartsUnderWay } from "../../../src/plugin/tools/starts.ts"
import { hostDouble } from "./host-double.ts"

/** Who holds the jobs of a test. */
export const lease = { pid: 1, process: "start", instance: "first" }

/** Of all leases, only this one's holder lives. */
export const holder: Holder = {
  instance: lease.instance,
  lease: Promise.resolve(lease),
  isOurs: ({ instance }) => instance === lease.instance,
  isHeld: async ({ instance }) => instance === lease.instance,
  drop: () => {},
}

export type ToolCall = { output: string; title: string; jobs: JobRecord[]; metadata: Record<string, unknown> }

export type CallOptions = {
  owner?: string
  agent?: string
  abort?: AbortSignal
  ask?: HostCall["askToStart"]
  /** Whether opencode stores the call's answer. Default: it does, that of an interrupted turn too. */
  isStored?: boolean
}

/**
 * The tools on a host double: everything between the main agent's call and opencode's client is real.
 * @param through what stands between the plugin and the double.
 */
export function testServices(
  overrides: Partial<Host> = {},
  given: z.input<typeof Options> = {},
  through: (double: Host) => Host = (double) => double,
) {
  const options = Options.parse(given)
  const double = hostDouble(overrides)
  const host = { ...double, ...through(double) }
  const store = new JobStore(host, holder)
  const turns = new Turns(host)
  const defects: unknown[] = []
  const ledger = new Ledger((error) => void defects.push(error))
  const effects = childEffects({
    host,
    turns,
    store,
    records: ledger,
    warn: double.toast,
    jobTools: JOB_TOOLS,
  })
  const troupe: Troupe = createTroupe({
    ledger,
    effects,
    concurrency: options.concurrency,
    reportError: (error) => void defects.push(error),
  })
  store.follow(troupe)
  const inbox = new Inbox(troupe, store)
  const lineage = createLineage(host)
  const recovery = { owner: async () => {} }
  const messenger = createMessenger({ troupe, host, turns, store, options, now: Date.now })
  const starts = new StartsUnderWay()
  const tools = jobTools({
    troupe,
    host,
    messenger,
    inbox,
    lineage,
    recovery,
    starts,
    options,
    inspectCommand: () => "node cli.js inspect",
    now: Date.now,
  })
  onTestFinished(() => {
    troupe.stop()
    // A listener that throws would go unnoticed otherwise.
    expect(defects).toEqual([])
  })

  async function call(
    tool: JobTool,
    args: Record<string, unknown>,
    how: CallOptions = {},
  ): Promise<ToolCall> {
    const result = Result.parse(await tools[tool].run(args, callOf(how)))
    const { owner: session = "owner", isStored = true } = how
    if (isStored)
      inbox.hear({ type: "tool.ended", session, call: "call", tool, mark: result.metadata.troupe })
    return result
  }
  return { host, troupe, inbox, store, turns, starts, tools, call }
}

const Result = z
  .object({
    title: z.string(),
    output: z.string(),
    metadata: z.looseObject({ jobs: z.array(JobRecord) }),
  })
  .transform((result): ToolCall => ({ ...result, jobs: result.metadata.jobs }))

export function callOf({ owner = "owner", agent = "build", abort, ask }: CallOptions): HostCall {
  return {
    place: { session: owner, message: "msg_call", call: "call" },
    agent,
    signal: abort ?? new AbortController().signal,
    askToStart: ask ?? (async () => ({ type: "granted" })),
  }
}
