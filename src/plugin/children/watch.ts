import { isDeepStrictEqual } from "node:util"
import {
  type Activity,
  type Ask,
  boundedMessage,
  hasEnded,
  type JobRecord,
  NO_USAGE,
  type Usage,
} from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Host, HostEvent } from "../host/port.ts"
import { throttle } from "../util/throttle.ts"
import { childDeleted } from "./failure.ts"

/** How often what a child streams reaches its job. */
const activityMs = 1_000
/** How much of the child's latest text an activity carries, characters. */
const tailLength = 200

export type Watch = {
  /** Those of sessions without a job cost one look-up. */
  handle(event: HostEvent): void
  /** The job of this child comes from another instance of the plugin, which alone has heard what is under way. */
  takeOver(session: string): void
}

type WatchOptions = {
  host?: Pick<Host, "tellAgain" | "withdraw" | "log">
  /** Epoch milliseconds. Default: `Date.now`. */
  now?: () => number
}

/** Turns opencode's events into events of the job they belong to. */
export function watchChildren(troupe: Troupe, { host, now = Date.now }: WatchOptions = {}): Watch {
  /** Living children, and the sessions they started themselves, by session id. */
  const watched = new Map<string, Watched>()
  /** Children that were taken over and whose jobs are not told yet what is under way. */
  const takenOver = new Set<string>()

  troupe.records.subscribe((job, before) => {
    if (before && before.session !== job.session) forget(before.session)
    if (job.session === "") return
    if (hasEnded(job)) forget(job.session)
    else if (watched.get(job.session)?.session !== job.session) {
      // A job that a child started is a session of that child's as well.
      const child = watchedJob({ troupe, host, now, ancestor: watched.get(job.owner) }, job)
      watched.set(job.session, child)
      // Those of an earlier run or process may go on, and nobody says again whose they are.
      for (const { session } of job.subagents ?? [])
        if (session !== undefined && !watched.has(session)) watched.set(session, child)
    }
    if (isAtWork(job) && !(before && isAtWork(before))) watched.get(job.session)?.asked()
    if (hasEnded(job)) takenOver.delete(job.session)
    // Before that it has no clocks that could be paused.
    else if (job.state === "prompting" && takenOver.delete(job.session)) void catchUp(job.session)
  })

  async function catchUp(session: string): Promise<void> {
    const told = await host?.tellAgain?.(session, handle)
    if (told && !told.ok)
      void host?.log("warn", `what is under way in ${session} could not be read: ${told.error.message}`)
  }

  const forget = (session: string) => {
    const child = watched.get(session)
    // A job that was cancelled as its session opened has no watch of its own: what is there is its ancestor's.
    if (child?.session !== session) return
    child.end()
    for (const [id, each] of watched) if (each === child) watched.delete(id)
  }

  function handle(event: HostEvent): void {
    const child = watched.get(event.session)
    if (child) {
      child.handle(event)
      return
    }
    if (event.type !== "session.created" || event.parent === undefined) return
    const ancestor = watched.get(event.parent)
    // What a child's own subagents do and ask is activity of the child.
    if (ancestor) watched.set(event.session, ancestor)
  }

  return { handle, takeOver: (session) => void takenOver.add(session) }
}

type Watched = {
  /** The job's own child session. */
  session: string
  /** Its model is asked now. */
  asked(): void
  handle(event: HostEvent): void
  end(): void
}

type Surroundings = {
  troupe: Troupe
  host: WatchOptions["host"]
  now: () => number
  /** The job whose child started this one: it hears of all that happens, as of any of its subagents. */
  ancestor: Watched | undefined
}

function watchedJob(
  { troupe, host, now, ancestor }: Surroundings,
  { owner, id, session: own }: JobRecord,
): Watched {
  const job = { owner, id }
  const activity = throttle<Omit<Activity, "at">>(activityMs, (latest) =>
    troupe.tell(job, { type: "child.active", activity: { ...latest, at: now() } }),
  )
  /** Each open ask, and the session behind it. */
  const asks = new Map<string, { ask: Ask; session: string }>()
  /** The session behind each call of a tool that runs. */
  const tools = new Map<string, string>()
  let tail = ""

  const answered = (ask: string) => {
    if (asks.delete(ask)) troupe.tell(job, { type: "child.answered", ask, at: now() })
  }

  /** A turn that was aborted leaves its requests unanswered for ever. */
  function withdraw(asked: { ask: Ask; session: string }): void {
    answered(asked.ask.id)
    void host?.withdraw?.(asked.session, asked.ask)
  }

  /** opencode tells what a session has used with each change of it. */
  const hasSpent = (session: string, usage: Usage) => {
    const record = troupe.records.get(owner, id)
    if (session === own) return !isDeepStrictEqual(record?.usage, usage)
    const known = record?.subagents?.find((each) => each.session === session)
    // A new session may be that of a job which is not told of it yet.
    return !isDeepStrictEqual(known?.usage ?? NO_USAGE, usage)
  }

  const toolEnded = (call: string) => {
    if (tools.delete(call)) troupe.tell(job, { type: "tool.ended", call, at: now() })
  }

  /** When its model was asked what it has not answered yet, epoch milliseconds; a time to come while that backs off. */
  let askedAt: number | undefined
  const answers = () => {
    if (askedAt === undefined) return
    troupe.answered(job, askedAt)
    askedAt = undefined
  }

  return {
    session: own,
    asked() {
      askedAt = now()
    },
    end() {
      activity.cancel()
      for (const each of [...asks.values()]) withdraw(each)
    },
    handle(event) {
      // What a job has used is in its own record, and counts where its ancestors do.
      if (event.type !== "usage.changed") ancestor?.handle(event)
      const { session } = event
      if (session === own && isOfAnswer.has(event.type)) answers()
      switch (event.type) {
        case "text.streamed":
          tail = (tail + event.delta).slice(-tailLength)
          activity.call({ text: tail })
          return
        case "text.updated":
          tail = event.text.slice(-tailLength)
          activity.call(tail === "" ? {} : { text: tail })
          return
        case "tool.pending":
          activity.call({ tool: event.tool })
          return
        case "tool.running":
          activity.call({ tool: event.title ? `${event.tool}: ${event.title}` : event.tool })
          if (event.isSubagent || tools.has(callOf(event))) return
          tools.set(callOf(event), session)
          troupe.tell(job, { type: "tool.started", call: callOf(event), at: now() })
          return
        case "tool.ended":
          activity.call({ tool: event.tool })
          toolEnded(callOf(event))
          return
        case "reasoning.updated":
          activity.call(tail === "" ? {} : { text: tail })
          return
        case "usage.changed":
          if (!hasSpent(session, event.usage)) return
          if (session !== own) {
            troupe.tell(job, { type: "subagent.spent", session, usage: event.usage })
            return
          }
          // A step is over, and the next one asks anew.
          answers()
          askedAt = now()
          troupe.tell(job, { type: "child.spent", usage: event.usage })
          return
        case "session.busy":
          // After a pause the provider has taken the request at last.
          activity.call(tail === "" ? {} : { text: tail })
          return
        case "session.idle":
          for (const each of [...asks.values()]) if (each.session === session) withdraw(each)
          if (session === own) {
            tools.clear()
            activity.cancel()
            troupe.tell(job, { type: "child.idle", at: now() })
          } else for (const call of ofSession(tools, session)) toolEnded(call)
          return
        case "session.retrying": {
          activity.cancel()
          const { attempt, reason, next } = event
          // The model of a subagent of its own may be of another provider.
          if (session === own) {
            askedAt = next
            troupe.hold(job, next)
          }
          // A session whose model is asked runs no tool; another one of the child's may.
          for (const call of ofSession(tools, session)) toolEnded(call)
          const isSubagents = session !== own && { isSubagents: true as const }
          const retry = { attempt, reason: boundedMessage(reason), next }
          troupe.tell(job, { type: "child.retrying", retry, ...isSubagents, at: now() })
          for (const call of tools.keys()) troupe.tell(job, { type: "tool.started", call, at: now() })
          return
        }
        case "request.opened": {
          activity.cancel()
          const ask = session === own ? event.request : { ...event.request, session }
          asks.set(ask.id, { ask, session })
          troupe.tell(job, { type: "child.asked", ask, at: now() })
          return
        }
        case "request.closed":
          answered(event.request)
          return
        case "session.deleted":
          if (session === own) troupe.cancel([job], childDeleted.message)
      }
    },
  }
}

/**
 * What shows that the model answers. A session is busy before it was asked, and what an answer that broke off had
 * begun is told of late.
 */
const isOfAnswer = new Set<HostEvent["type"]>(["text.streamed", "tool.pending", "tool.running"])

const isAtWork = ({ state, phase }: JobRecord) =>
  state === "prompting" && phase !== "opening" && phase !== "queued" && phase !== "stopping"

/** A subagent's call may have the same id as one of its parent's. */
const callOf = ({ session, call }: { session: string; call: string }) => `${session}/${call}`

const ofSession = (sessions: ReadonlyMap<string, string>, session: string) =>
  [...sessions].filter(([, each]) => each === session).map(([id]) => id)
