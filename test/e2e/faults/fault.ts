import * as z from "zod"
import type { Generation } from "../../support/any-opencode.ts"

/**
 * Every call that the plugin makes to opencode: for 1.18 by its name in `src/plugin/host/v1/host.ts`, for 2.x by that in
 * `src/plugin/host/v2/api.ts`, where `subagent` is opencode's own tool, which makes children. Left out are those which
 * 2.0.15 does not have or get to, and those with which the plugin registers itself.
 */
export const CALLS = {
  1: [
    "createSession",
    "deleteSession",
    "session",
    "sessionsSince",
    "statuses",
    "children",
    "messages",
    "message",
    "writeMetadata",
    "prompt",
    "promptNoReply",
    "promptAsync",
    "updatePart",
    "abort",
    "agents",
    "models",
    "toast",
    "log",
  ],
  2: [
    "subagent",
    "session.get",
    "session.update",
    "session.switchModel",
    "session.context",
    "session.prompt",
    "session.wait",
    "session.synthetic",
    "session.interrupt",
    "storage.get",
    "storage.set",
    "storage.scan",
    "storage.remove",
    "agent.list",
    "model.list",
    "tool.list",
    "permission.list",
    "progress",
  ],
} as const satisfies Record<Generation, readonly string[]>
const Call = z.enum([...CALLS[1], ...CALLS[2]])
export type Call = z.infer<typeof Call>

/** The ways in which a call can fail. */
export const WAYS = {
  rejects: "the request fails before it reaches opencode",
  error: "opencode answers with an error: with status 500 in 1.18, with one of its tagged errors in 2.x",
  hangs: "the request never reaches opencode, and no answer comes",
  late: "opencode handles the request, but its answer comes after the plugin's timeout",
  twice: "the request reaches opencode twice at the same time",
} as const
export type Way = keyof typeof WAYS
export const ways = ["rejects", "error", "hangs", "late", "twice"] as const satisfies readonly Way[]

export const Fault = z.object({
  call: Call,
  way: z.enum(ways),
  /** How long an answer takes that comes late. */
  lateMs: z.number(),
})
export type Fault = z.infer<typeof Fault>

/** Which call of 1.18 a request is. @throws Error for one that is none of them. */
export async function callOf(request: Request): Promise<Call> {
  const { pathname } = new URL(request.url)
  const route = `${request.method} ${pathname.replace(/\/(ses|msg|prt)_\w+/g, "/:id")}`
  const call = routes[route]
  if (!call) throw new Error(`no call of the plugin is known that asks ${route}`)
  if (call !== "prompt") return call
  const { noReply } = Body.parse(await request.clone().json())
  return noReply ? "promptNoReply" : "prompt"
}

const Body = z.object({ noReply: z.boolean().optional() })

const routes: Record<string, Call> = {
  "POST /session": "createSession",
  "DELETE /session/:id": "deleteSession",
  "GET /session/:id": "session",
  "GET /session": "sessionsSince",
  "GET /session/status": "statuses",
  "GET /session/:id/children": "children",
  "GET /session/:id/message": "messages",
  "GET /session/:id/message/:id": "message",
  "PATCH /session/:id": "writeMetadata",
  "POST /session/:id/message": "prompt",
  "POST /session/:id/prompt_async": "promptAsync",
  "PATCH /session/:id/message/:id/part/:id": "updatePart",
  "POST /session/:id/abort": "abort",
  "GET /agent": "agents",
  "GET /config/providers": "models",
  "POST /tui/show-toast": "toast",
  "POST /log": "log",
}
