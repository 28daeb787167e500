import type { Conversation, EndedText, Files, ShownRequest, Source } from "../../../src/inspector/source.ts"
import type { ActorNode } from "../../../src/machines/actor-tree.ts"
import type { Answer, Effects } from "../../../src/machines/effects.ts"
import type { JobInput } from "../../../src/machines/events.ts"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { createTroupe, type Troupe } from "../../../src/machines/troupe.ts"
import type { ShownMessage, ShownPart } from "../../../src/shown/conversation.ts"
import type { Answer as RequestReply } from "../../../src/shown/requests.ts"
import { Watched } from "../../support/waiters.ts"

/** A real troupe whose children answer when the test says so. */
export type ScriptedTroupe = {
  troupe: Troupe
  source: Source
  /** Starts a job of `owner` (default `ses_owner`). */
  start(id: string, job?: Partial<JobInput>): void
  /** The child's final answer. */
  answer(id: string, answer?: Partial<Answer>): Promise<void>
  /** Resolves once the job's record is so; the record that was. */
  until(id: string, place: string): Promise<void>
  /** What is left of the texts that are not in memory, by the job's id. Default: opencode is busy. */
  kept: Map<string, EndedText>
  /** The conversations of children, by their job's id. Default: its prompt, and what it left. */
  talks: Map<string, Conversation>
  /** What a job asks, in full: it waits for that until it is answered. */
  asks(id: string, request: ShownRequest): void
  /** It is answered elsewhere, and nobody has heard of it yet. */
  forgets(request: string): void
  /** What was answered, by the request's id. */
  answered: Map<string, RequestReply>
  /** What the children have changed, by the job's id. Default: nothing. */
  files: Map<string, Files>
  /** Those of owners; `retitle` tells of a new one. */
  titles: Map<string, string>
  retitle(owner: string, title: string): void
  sent: { id: string; message: string }[]
  stop(): void
}

/** With a delivery for each owner, and a turn and a writer for each of its live jobs. */
export function withProtocols(source: Source): Source {
  const actor = (
    kind: ActorNode["kind"],
    id: string,
    state: string,
    more: Partial<ActorNode> = {},
  ): ActorNode => ({
    kind,
    id,
    state,
    counts: {},
    children: [],
    ...more,
  })
  const about = (kind: ActorNode["kind"], { id, session = "" }: ActorNode, state: string) =>
    actor(kind, id, state, { session })
  const around = (supervisor: ActorNode): ActorNode[] => [
    ...supervisor.children.map((job) => ({ ...job, children: [about("turn", job, "asking.waiting")] })),
    actor("delivery", supervisor.id, "backoff", { counts: { results: 2 } }),
    ...supervisor.children.map((job) => about("writer", job, "writing")),
  ]
  const actors = () => {
    const system = source.actors()
    return { ...system, children: system.children.map((each) => ({ ...each, children: around(each) })) }
  }
  return { ...source, actors }
}

export const OWNER = "ses_owner"
export const sessionOf = (id: string) => `ses_child_${id}`

export function scriptedTroupe({ concurrency = 8, name = "/projects/demo" } = {}): ScriptedTroupe {
  const pending = new Map<string, (answer: Answer) => void>()
  const places = new Watched<string>("place")
  const kept: ScriptedTroupe["kept"] = new Map()
  const talks: ScriptedTroupe["talks"] = new Map()
  const open = new Map<string, { job: string; request: ShownRequest }>()
  const answered: ScriptedTroupe["answered"] = new Map()
  const sent: ScriptedTroupe["sent"] = []
  const files: ScriptedTroupe["files"] = new Map()
  const titles = new Map<string, string>()
  const hearers = new Set<(owner: string) => void>()
  const effects: Effects = {
    openSession: async (job) => ({ session: sessionOf(job.id) }),
    promptChild: ({ job }) => new Promise((resolve) => pending.set(job.id, resolve)),
    lookForAnswer: async () => {},
    recordEnd: async () => {},
    stopChild: async () => ({ text: "as far as it got", usage: NO_USAGE }),
  }
  const troupe = createTroupe({ effects, concurrency, reportError: (error) => console.error(error) })
  troupe.records.subscribe(({ id, state, phase }) =>
    places.add(`${id} ${phase ? `${state}.${phase}` : state}`),
  )

  const until = async (id: string, place: string) =>
    void (await places.waitFor((each) => each === `${id} ${place}`))
  return {
    troupe,
    source: {
      ...troupe,
      name,
      concurrency,
      readText: async ({ id }) => kept.get(id) ?? { kind: "unreadable", why: "opencode is busy" },
      conversation: async (job) => talks.get(job.id) ?? talkOf(job, kept.get(job.id)),
      requests: async ({ id }) =>
        [...open.values()].filter(({ job }) => job === id).map(({ request }) => request),
      answer: async ({ id }, reply) => {
        const asked = open.get(id)
        if (!asked) return false
        open.delete(id)
        answered.set(id, reply)
        troupe.tell({ owner: OWNER, id: asked.job }, { type: "child.answered", ask: id, at: Date.now() })
        return true
      },
      files: async ({ id }) => files.get(id) ?? { kind: "files", files: [] },
      titles: {
        of: (owner) => titles.get(owner),
        subscribe(hear) {
          hearers.add(hear)
          return () => hearers.delete(hear)
        },
      },
      send: async (job, message) => void sent.push({ id: job.id, message }),
    },
    kept,
    talks,
    asks: (job, request) => {
      open.set(request.id, { job, request })
      const { id, kind } = request
      const ask = { id, kind, text: `${kind} ${id}` }
      troupe.tell({ owner: OWNER, id: job }, { type: "child.asked", ask, at: Date.now() })
    },
    forgets: (request) => void open.delete(request),
    answered,
    files,
    titles,
    retitle(owner, title) {
      titles.set(owner, title)
      for (const hear of hearers) hear(owner)
    },
    sent,
    until,
    start: (id, job = {}) => troupe.start({ ...jobInput(id), ...job }),
    answer: async (id, answer = {}) => {
      await until(id, "prompting.working")
      pending.get(id)?.({ text: "the answer", usage: NO_USAGE, ...answer })
      await until(id, answer.error ? "failed" : "done")
    },
    stop: () => troupe.stop(),
  }
}

function talkOf({ text, endedAt }: JobRecord, kept?: EndedText): Conversation {
  const left =
    text === undefined && endedAt !== undefined
      ? (kept ?? ({ kind: "unreadable", why: "opencode is busy" } as const))
      : { kind: "text" as const, text: text ?? "" }
  if (left.kind === "lost" || left.kind === "unreadable") return left
  const asked = said("m1", "user", { type: "text", id: "p1", text: "do it" })
  if (left.kind === "nothing" || left.text === "") return { kind: "messages", messages: [asked] }
  const answer = said("m2", "assistant", { type: "text", id: "p2", text: left.text })
  return { kind: "messages", messages: [asked, answer] }
}

export function said(id: string, role: ShownMessage["role"], ...parts: ShownPart[]): ShownMessage {
  return { id, role, at: 1_000, parts }
}

export function jobInput(id: string): JobInput {
  const now = Date.now()
  return {
    id,
    owner: OWNER,
    description: `work of ${id}`,
    prompt: "do it",
    agent: "general",
    createdAt: now,
    askedAt: now,
    run: 1,
    timeoutMs: 60_000,
    idleMs: 30_000,
  }
}
