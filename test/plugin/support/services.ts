import { expect, onTestFinished } from "vitest"
import * as z from "zod"
import { JobRecord } from "../../../src/machines/record.ts"
import type { Host, ToolCall as HostCall } from "../../../src/plugin/host/port.ts"
import { Options } from "../../../src/plugin/options.ts"
import { type AssemblyOptions, assemble } from "../../../src/plugin/product.ts"
import type { Holder } from "../../../src/plugin/records/lease.ts"
import type { JobTool } from "../../../src/plugin/tools/index.ts"
import { type HostDouble, hostDouble } from "./host-double.ts"

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
  /** The call's id in its conversation. Default: that of every other call. */
  id?: string
  agent?: string
  abort?: AbortSignal
  ask?: HostCall["askToStart"]
  askToEdit?: HostCall["askToEdit"]
  askToRun?: HostCall["askToRun"]
  /** Whether opencode stores the call's answer. Default: it does, that of an interrupted turn too. */
  isStored?: boolean
}

/**
 * The product on a host double: everything between the main agent's call and opencode's client is real. Nobody is
 * notified of results, and nothing is recovered, unless the test says so.
 * @param through what stands between the plugin and the double.
 */
export function testServices(
  overrides: Partial<Host> = {},
  given: z.input<typeof Options> = {},
  through: (double: Host) => Host = (double) => double,
  settings: Pick<AssemblyOptions, "holder" | "claims" | "noStarts" | "worktrees"> = {},
) {
  const double = hostDouble(overrides)
  const defects: unknown[] = []
  const parts = assemble({
    host: through(double),
    directory: "/project",
    options: Options.parse({ notify: "never", inspector: { enabled: false }, ...given }),
    holder,
    ...settings,
    reportError: (error) => void defects.push(error),
  })
  // The plugin's own, beside what the double holds: a call that the test replaces is replaced for the plugin.
  const host: HostDouble = Object.assign(parts.host, { ...double, ...parts.host })
  const { tools, inbox, troupe } = parts
  onTestFinished(async () => {
    troupe.stop()
    await parts.stop()
    // A listener that throws would go unnoticed otherwise.
    expect(defects).toEqual([])
  })

  async function call(
    tool: JobTool,
    args: Record<string, unknown>,
    how: CallOptions = {},
  ): Promise<ToolCall> {
    const result = Result.parse(await tools[tool].run(args, callOf(how)))
    const { owner: session = "owner", id = "call", isStored = true } = how
    if (isStored) inbox.hear({ type: "tool.ended", session, call: id, tool, mark: result.metadata.troupe })
    return result
  }
  return { ...parts, host, call, defects }
}

const Result = z
  .object({
    title: z.string(),
    output: z.string(),
    metadata: z.looseObject({ jobs: z.array(JobRecord) }),
  })
  .transform((result): ToolCall => ({ ...result, jobs: result.metadata.jobs }))

export function callOf({
  owner = "owner",
  id = "call",
  agent = "build",
  abort,
  ask,
  askToEdit,
  askToRun,
}: CallOptions): HostCall {
  return {
    place: { session: owner, message: "msg_call", call: id },
    agent,
    signal: abort ?? new AbortController().signal,
    askToStart: ask ?? (async () => ({ type: "granted" })),
    askToEdit: askToEdit ?? (async () => ({ type: "granted" })),
    askToRun: askToRun ?? (async () => ({ type: "granted" })),
  }
}
