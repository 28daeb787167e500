import { Hono } from "hono"
import { hasEnded, JOB_STATES, type JobRecord } from "../../../machines/record.ts"
import { viewOf } from "../../feed/job-view.ts"
import {
  conversationOf,
  type EndedText,
  endedText,
  type Found,
  filesOf,
  requestsOf,
  type Sources,
} from "../../source.ts"
import { answerOf, boundedRequest } from "../answers.ts"
import {
  AnswerBody,
  CancelBody,
  type JobAnswer,
  JobsQuery,
  MessagesQuery,
  type NoText,
  SendBody,
} from "../api.ts"
import { ApiError } from "../api-error.ts"
import { boundedData } from "../bounded-data.ts"
import { boundedFiles } from "../bounded-files.ts"
import { boundedMessages } from "../bounded-messages.ts"
import { parseBodyOf, parseQueryOf } from "../parse.ts"
import { matches, parseQuery } from "../query.ts"
import { readOnlyWords, refuseIfReadOnly } from "../read-only.ts"

export function jobRoutes(sources: Sources, readOnly: boolean): Hono {
  const find = (key: string): Found => {
    const found = sources.find(key)
    if (!found) throw new ApiError(404, "job", `There is no job ${JSON.stringify(key.slice(0, 80))}.`)
    return found
  }

  return new Hono()
    .get("/", (c) => c.json(listJobs(sources, parseQueryOf(c, JobsQuery))))
    .get("/:session", async (c) => {
      const found = find(c.req.param("session"))
      const { source, record } = found
      const can = {
        cancel: whyNotCancel(found, readOnly),
        send: whyNotSend(found, readOnly),
        answer: whyNotAnswer(found, readOnly),
      }
      return c.json({
        ...record,
        ...boundedData(record.structured),
        ...(await textOf(found)),
        project: source.name,
        budgets: [...(source.budgets?.(record) ?? [])],
        history: [...source.history(record)],
        requests: (await requestsOf(found)).map(boundedRequest),
        can,
      } satisfies JobAnswer)
    })
    .get("/:session/messages", async (c) => {
      const { after } = parseQueryOf(c, MessagesQuery)
      const read = await conversationOf(find(c.req.param("session")), after)
      if (read.kind === "messages") return c.json(boundedMessages(read.messages, after))
      throw unread("Its conversation", read)
    })
    .get("/:session/files", async (c) => {
      const read = await filesOf(find(c.req.param("session")))
      if (read.kind !== "files") throw unread("What it has changed", read)
      return c.json(boundedFiles(read))
    })
    .post("/:session/answer", async (c) => {
      const found = find(c.req.param("session"))
      refuseIfReadOnly(found.source)
      const body = await parseBodyOf(c, AnswerBody)
      const why = whyNotAnswer(found, readOnly)
      if (why !== undefined) throw new ApiError(409, "answer", why)
      const request = (await requestsOf(found)).find(({ id }) => id === body.ask)
      if (!request) throw answered()
      if (request.unanswerable !== undefined) throw new ApiError(409, "unanswerable", request.unanswerable)
      const inTime = await found.source.answer?.(request, answerOf(request, body)).catch((error: unknown) => {
        throw new ApiError(503, "answer", `The answer was not taken: ${wordsOf(error)}`)
      })
      if (!inTime) throw answered()
      return c.json({ accepted: true }, 202)
    })
    .post("/:session/cancel", async (c) => {
      const found = find(c.req.param("session"))
      refuseIfReadOnly(found.source)
      const { source, record } = found
      const { reason } = await parseBodyOf(c, CancelBody)
      const why = whyNotCancel(found, readOnly)
      if (why !== undefined) throw new ApiError(409, "ended", why)
      source.cancel([record], reason)
      return c.json({ accepted: true }, 202)
    })
    .post("/:session/send", async (c) => {
      const found = find(c.req.param("session"))
      refuseIfReadOnly(found.source)
      const { message } = await parseBodyOf(c, SendBody)
      const why = whyNotSend(found, readOnly)
      if (why !== undefined) throw new ApiError(409, "send", why)
      await found.source.send?.(found.record, message).catch((error: unknown) => {
        throw new ApiError(409, "send", wordsOf(error))
      })
      return c.json({ accepted: true }, 202)
    })
}

const answered = () =>
  new ApiError(409, "answered", "This is no longer asked: somebody has answered it, or its turn is over.")

const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

const unread = (what: string, { kind, why }: { kind: "lost" | "unreadable"; why: string }) =>
  kind === "lost"
    ? new ApiError(404, kind, `${what} is lost: ${why}.`)
    : new ApiError(503, kind, `${what} could not be read: ${why}.`)

async function textOf(found: Found): Promise<Pick<JobAnswer, "text" | "noText">> {
  const { source, record } = found
  if (!hasEnded(record)) {
    const draft = source.draft?.(record)
    return draft ? { text: draft } : {}
  }
  const left = await endedText(found)
  return left.kind === "text" ? { text: left.text } : { text: undefined, noText: noText(left) }
}

function noText(left: Exclude<EndedText, { kind: "text" }>): NoText {
  switch (left.kind) {
    case "nothing":
      return { kind: "nothing", message: "It wrote nothing." }
    case "lost":
      return { kind: "lost", message: `Its text is lost: ${left.why}.` }
    case "unreadable":
      return { kind: "unreadable", message: `Its text could not be read: ${left.why}.` }
  }
}

function whyNotCancel({ source, record }: Found, readOnly: boolean): string | undefined {
  if (hasEnded(record)) return `${record.id} has already ended`
  if (record.phase === "stopping") return `${record.id} is already being stopped`
  return readOnly || source.readOnly ? readOnlyWords : undefined
}

function whyNotAnswer({ source }: Found, readOnly: boolean): string | undefined {
  if (source.answer === undefined) return "this project takes no answers from the inspector"
  return readOnly || source.readOnly ? readOnlyWords : undefined
}

function whyNotSend({ source, record }: Found, readOnly: boolean): string | undefined {
  if (source.send === undefined) return "this project accepts no messages from the inspector"
  if (record.session === "") return `${record.id} has no child session`
  if (record.phase === "stopping") return `${record.id} is being stopped; wait until it has ended`
  if (record.state === "created") return `${record.id} has not begun; it takes messages once it works`
  if (record.isGroup && !hasEnded(record)) return `${record.id} is a group; send it to one of its jobs`
  return readOnly || source.readOnly ? readOnlyWords : undefined
}

function listJobs(sources: Sources, { state, owner, q, limit, cursor }: JobsQuery) {
  const query = parseQuery(q ?? "")
  const counts = Object.fromEntries(JOB_STATES.map((name) => [name, 0]))
  const chosen: Found[] = []
  for (const found of sources.jobs()) {
    const { record } = found
    if ((owner !== undefined && record.owner !== owner) || !matches(record, query)) continue
    counts[record.state] = (counts[record.state] ?? 0) + 1
    if (state === undefined || state.includes(record.state)) chosen.push(found)
  }
  chosen.sort((a, b) => newestFirst(placeOf(a.record), placeOf(b.record)))
  const start = cursor === undefined ? 0 : startAfter(chosen, cursor)
  const page = chosen.slice(start, start + limit)
  const last = page.at(-1)
  const hasMore = start + limit < chosen.length
  return {
    jobs: page.map(viewOf),
    counts,
    ...(hasMore && last && { cursor: cursorOf(last.record) }),
  }
}

/** A job's position in the list, which never changes. */
type Place = { createdAt: number; key: string }

const placeOf = ({ createdAt, owner, id }: JobRecord): Place => ({ createdAt, key: `${owner}/${id}` })

function newestFirst(a: Place, b: Place): number {
  return b.createdAt - a.createdAt || (a.key < b.key ? 1 : a.key > b.key ? -1 : 0)
}

function cursorOf(record: JobRecord): string {
  const { createdAt, key } = placeOf(record)
  return `${createdAt}~${key}`
}

function startAfter(chosen: Found[], cursor: string): number {
  const tilde = cursor.indexOf("~")
  const last = { createdAt: Number(cursor.slice(0, tilde)), key: cursor.slice(tilde + 1) }
  const index = chosen.findIndex(({ record }) => newestFirst(placeOf(record), last) > 0)
  return index < 0 ? chosen.length : index
}
