import type { ToolContext } from "@opencode-ai/plugin"
import * as z from "zod"
import type { Host, Part } from "../host/client.ts"
import { throttle } from "../util/throttle.ts"

/** How often the shown tool call changes at most, milliseconds: each change is a write of opencode's. */
const intervalMs = 1_000

/**
 * Shows how a running tool call gets on, in its title and metadata. `context.metadata` would be the way, but for
 * plugins opencode 1.18 never runs what it returns: the call's part is changed instead.
 */
export function shownProgress(host: Host, context: ToolContext) {
  let writing = Promise.resolve()
  let isOver = false
  let part: RunningPart | undefined
  // Stryker disable next-line StringLiteral,ObjectLiteral: `show` sets it before anything is written
  let latest: Shown = { title: "", metadata: {} }

  const write = async ({ title, metadata }: Shown) => {
    part ??= await runningPart(host, context)
    // opencode may not have stored yet that the call runs, and nothing else might change for a long time.
    if (!part && !isOver) changes.call(latest)
    if (!part || isOver) return
    const changed = {
      ...part,
      state: { ...part.state, title, metadata: { ...part.state.metadata, ...metadata } },
    }
    await host.updatePart(changed)
  }
  const changes = throttle<Shown>(intervalMs, (shown) => {
    writing = writing.then(() => write(shown))
  })

  return {
    show(title: string, metadata: Record<string, unknown>) {
      latest = { title, metadata }
      changes.call(latest)
    },
    /** To be awaited before the tool returns: a write that came later would show the call as running for ever. */
    async settle() {
      isOver = true
      changes.cancel()
      await writing
    },
  }
}

type Shown = { title: string; metadata: Record<string, unknown> }
type ToolPart = Extract<Part, { type: "tool" }>
type RunningPart = ToolPart & { state: Extract<ToolPart["state"], { status: "running" }> }

/** What the types of a tool's context do not show. */
const Call = z.object({ callID: z.string() })

async function runningPart(host: Host, context: ToolContext): Promise<RunningPart | undefined> {
  const callID = Call.safeParse(context).data?.callID
  const message = await host.message(context.sessionID, context.messageID)
  return message.ok
    ? message.value.parts.find(
        (part): part is RunningPart =>
          part.type === "tool" && part.callID === callID && part.state.status === "running",
      )
    : undefined
}
