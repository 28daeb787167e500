import * as z from "zod"
import { type Activity, type Ask, hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import { throttle } from "../util/throttle.ts"
import { usageOfSession } from "./effects.ts"

/** How often what a child streams reaches its job. */
const activityMs = 1_000
/** How much of the child's latest text an activity carries, characters. */
const tailLength = 200

export type Watch = {
  /** Takes any event of opencode; those of sessions without a job cost one look-up. */
  handle(event: unknown): void
}

/** Turns opencode's events into events of the job they belong to. */
export function watchChildren(troupe: Troupe, now: () => number = Date.now): Watch {
  /** Living children, and the sessions they started themselves, by session id. */
  const watched = new Map<string, Watched>()

  troupe.records.subscribe((job) => {
    if (job.session === "") return
    if (hasEnded(job)) forget(job.session)
    else if (watched.get(job.session)?.session !== job.session) {
      // A job that a child started is a session of that child's as well.
      watched.set(job.session, watchedJob(troupe, job, now, watched.get(job.owner)))
    }
  })

  const forget = (session: string) => {
    const child = watched.get(session)
    // A job that was cancelled as its session opened has no watch of its own: what is there is its ancestor's.
    if (child?.session !== session) return
    child.activity.cancel()
    for (const [id, each] of watched) if (each === child) watched.delete(id)
  }

  return {
    handle(event) {
      const session = sessionOf(event)
      // Stryker disable next-line ConditionalExpression: nothing is watched under no name
      if (session === undefined) return
      const child = watched.get(session)
      if (child) {
        child.handle(event, session)
        return
      }
      if (fieldOf(event, "type") !== "session.created") return
      const created = SessionCreated.safeParse(event).data?.properties.info
      const ancestor = created && watched.get(created.parentID)
      // What a child's own subagents do and ask is a sign of life of the child.
      if (ancestor) watched.set(created.id, ancestor)
    },
  }
}

type Watched = {
  /** The job's own child session. */
  session: string
  activity: { cancel(): void }
  handle(event: unknown, session: string): void
}

/** @param ancestor the job whose child started this one: it hears of all that happens, as of any of its subagents. */
function watchedJob(
  troupe: Troupe,
  { owner, id, session: own }: JobRecord,
  now: () => number,
  ancestor: Watched | undefined,
): Watched {
  const job = { owner, id }
  const activity = throttle<Omit<Activity, "at">>(activityMs, (latest) =>
    troupe.tell(job, { type: "child.active", activity: { ...latest, at: now() } }),
  )
  /** The session behind each open ask. */
  const asks = new Map<string, string>()
  let tail = ""

  const answered = (ask: string) => {
    if (asks.delete(ask)) troupe.tell(job, { type: "child.answered", ask, at: now() })
  }

  return {
    session: own,
    activity,
    handle(unparsed, session) {
      ancestor?.handle(unparsed, session)
      const parsed = ChildEvent.safeParse(unparsed)
      if (!parsed.success) return
      const event = parsed.data
      switch (event.type) {
        case "message.part.delta":
          tail = (tail + event.properties.delta).slice(-tailLength)
          activity.call({ text: tail })
          return
        case "message.part.updated": {
          const { part } = event.properties
          // The prompt has no time: it is the owner's text, not the child's.
          if (part.type === "text" && part.time === undefined) return
          if (part.type === "tool") activity.call({ tool: toolWords(part) })
          else if (part.type === "text") tail = (part.text ?? "").slice(-tailLength)
          if (part.type !== "tool") activity.call(tail === "" ? {} : { text: tail })
          return
        }
        case "session.updated": {
          if (session !== own) return
          troupe.tell(job, { type: "child.spent", usage: usageOfSession(event.properties.info) })
          return
        }
        case "session.status": {
          const { status } = event.properties
          // After a pause the provider has taken the request at last.
          if (status.type === "busy") activity.call(tail === "" ? {} : { text: tail })
          // A session that was aborted leaves its asks unanswered for ever.
          if (status.type === "idle") for (const [ask, asker] of asks) if (asker === session) answered(ask)
          if (status.type !== "retry") return
          activity.cancel()
          const { attempt, message: reason, next } = status
          troupe.tell(job, { type: "child.retrying", retry: { attempt, reason, next }, at: now() })
          return
        }
        case "permission.asked":
        case "question.asked":
          activity.cancel()
          asks.set(event.properties.id, session)
          troupe.tell(job, { type: "child.asked", ask: askOf(event), at: now() })
          return
        case "permission.replied":
        case "question.replied":
        case "question.rejected":
          answered(event.properties.requestID)
          return
        case "session.deleted":
          if (session === own) troupe.cancel([job], "its child session was deleted")
      }
    },
  }
}

function askOf(event: PermissionAsked | QuestionAsked): Ask {
  if (event.type === "permission.asked") {
    const { id, permission, patterns } = event.properties
    return { id, kind: "permission", text: `${permission}: ${patterns.join(", ")}` }
  }
  const { id, questions } = event.properties
  return { id, kind: "question", text: questions.map(({ question }) => question).join(" ") }
}

function toolWords({ tool = "a tool", state }: z.infer<typeof StreamedPart>): string {
  return state?.title ? `${tool}: ${state.title}` : tool
}

/** Reads one field and nothing else: this runs for every event of opencode. */
function sessionOf(event: unknown): string | undefined {
  const properties = fieldOf(event, "properties")
  const id =
    fieldOf(properties, "sessionID") ??
    fieldOf(fieldOf(properties, "part"), "sessionID") ??
    fieldOf(fieldOf(properties, "info"), "id")
  // Stryker disable next-line ConditionalExpression: what is no string is no key either
  return typeof id === "string" ? id : undefined
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
}

// Stryker disable next-line ArrowFunction: a union of what is not there cannot be made
const of = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.object({ type: z.literal(type), properties: z.object(shape) })

const PermissionAsked = of("permission.asked", {
  id: z.string(),
  permission: z.string(),
  patterns: z.array(z.string()),
})
type PermissionAsked = z.infer<typeof PermissionAsked>

const QuestionAsked = of("question.asked", {
  id: z.string(),
  questions: z.array(z.object({ question: z.string() })),
})
type QuestionAsked = z.infer<typeof QuestionAsked>

const reply = { requestID: z.string() }
const tokens = z.object({
  input: z.number(),
  output: z.number(),
  reasoning: z.number(),
  cache: z.object({ read: z.number(), write: z.number() }),
})

const StreamedPart = z.object({
  type: z.string(),
  text: z.string().optional(),
  time: z.object({}).optional(),
  tool: z.string().optional(),
  state: z.object({ title: z.string().optional() }).optional(),
})

// Stryker disable next-line ArrayDeclaration: a union of nothing cannot be made
const ChildEvent = z.discriminatedUnion("type", [
  of("message.part.delta", { delta: z.string() }),
  of("message.part.updated", {
    part: StreamedPart,
  }),
  of("session.updated", {
    info: z.object({
      tokens: tokens.optional(),
      cost: z.number().optional(),
    }),
  }),
  of("session.status", {
    // Stryker disable next-line ArrayDeclaration: a union of nothing cannot be made
    status: z.union([
      z.object({ type: z.literal("retry"), attempt: z.number(), message: z.string(), next: z.number() }),
      z.object({ type: z.enum(["busy", "idle"]) }),
    ]),
  }),
  PermissionAsked,
  QuestionAsked,
  of("permission.replied", reply),
  of("question.replied", reply),
  of("question.rejected", reply),
  of("session.deleted", {}),
])

const SessionCreated = of("session.created", {
  info: z.object({ id: z.string(), parentID: z.string() }),
})
