import type { Conversation, EndedText, Files, ShownRequest, Source } from "../../../src/inspector/source.ts"
import type { ActorNode } from "../../../src/machines/actor-tree.ts"
import type { Answer, Effects } from "../../../src/machines/effects.ts"
import type { JobInput } from "../../../src/machines/events.ts"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { createTroupe, type Troupe } from "../../../src/machines/troupe.ts"
import type { ShownMessage, ShownPart } from "../../../src/shown/conversation.ts"
import type { Request, Answer as RequestAnswer } from "../../../src/shown/requests.ts"
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
  sent: { id: string; message: string }[]
  /** The children's conversations, by the job's id. Default: the prompt, and what the child left. */
  conversations: Map<string, Conversation>
  /** What they have changed, by the job's id. Default: nothing. */
  files: Map<string, Files>
  /** The child asks; it goes on once that is answered. */
  ask(id: string, request: ShownRequest): Promise<void>
  /** It is answered elsewhere, and nobody has heard of it yet. */
  forget(request: string): void
  answers: Answered[]
  /** Those of owners; `retitle` tells of a new one. */
  titles: Map<string, string>
  retitle(owner: string, title: string): void
  stop(): void
}

export type Answered = { request: Request; answer: RequestAnswer }

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
  const sent: ScriptedTroupe["sent"] = []
  const conversations: ScriptedTroupe["conversations"] = new Map()
  const files: ScriptedTroupe["files"] = new Map()
  const open = new Map<string, { id: string; request: ShownRequest }>()
  const answers: Answered[] = []
  const titles = new Map<string, string>()
  const hearers = new Set<(owner: string) => void>()
  const effects: Effects = {
    openSession: async (job) => ({ session: sessionOf(job.id) }),
    promptChild: ({ job }) => new Promise((resolve) => pending.set(job.id, resolve)),
    lookForAnswer: async () => {},
    recordEnd: async () => {},
    runCheck: () => Promise.reject(new Error("no job here has one")),
    leaveChild: async ({ job: { prompt } }) => ({ prompt, changed: [] }),
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
      conversation: async (job) => conversations.get(job.id) ?? conversationOf(job, kept.get(job.id)),
      files: async ({ id }) => files.get(id) ?? { kind: "files", files: [] },
      requests: async ({ id: job }) =>
        [...open.values()].flatMap(({ id, request }) => (id === job ? [request] : [])),
      async answer(request, answer) {
        const asked = open.get(request.id)
        if (!asked || !open.delete(request.id)) return false
        answers.push({ request, answer })
        const at = Date.now()
        troupe.tell({ owner: OWNER, id: asked.id }, { type: "child.answered", ask: request.id, at })
        return true
      },
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
    sent,
    conversations,
    files,
    answers,
    titles,
    retitle(owner, title) {
      titles.set(owner, title)
      for (const hear of hearers) hear(owner)
    },
    forget: (request) => void open.delete(request),
    async ask(id, request) {
      await until(id, "prompting.working")
      open.set(request.id, { id, request })
      const { kind } = request
      const text =
        request.kind === "permission"
          ? `${request.action}: ${request.parts.map((part) => part.text).join(", ")}`
          : request.questions.map((question) => question.text).join(" ")
      const ask = { id: request.id, kind, text }
      troupe.tell({ owner: OWNER, id }, { type: "child.asked", ask, at: Date.now() })
      await until(id, `prompting.${kind}`)
    },
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

function conversationOf({ text, endedAt }: JobRecord, kept?: EndedText): Conversation {
  const isGone = text === undefined && endedAt !== undefined
  const left: EndedText = isGone
    ? (kept ?? { kind: "unreadable", why: "opencode is busy" })
    : { kind: "text", text: text ?? "" }
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
