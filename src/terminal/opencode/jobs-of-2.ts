import { type Form, type FormAnswer, formAnswer, questionsOf } from "../../shown/forms-of-2.ts"
import { permissionParts } from "../../shown/permission-parts.ts"
import type { Answer, Decision, Request } from "../../shown/requests.ts"
import { contract } from "../contract.ts"
import type { Ask, Jobs } from "../jobs.ts"
import { absent, answeredIn, textIn, unreachable } from "./foreign.ts"
import { toldGlance, toldJobs, toldOverview } from "./shown-record.ts"

/** How opencode 2 is called. Seen in 2.0.15. */
export type Client = {
  rpc(of: typeof contract): Rpc
  session: {
    prompt(prompt: { sessionID: string; text: string }): Promise<unknown>
    message: { get(of: { sessionID: string; messageID: string }): Promise<Message> }
    form: {
      list(of: { sessionID: string }): Promise<readonly Form[]>
      reply(of: FormKey & { answer: FormAnswer }): Promise<unknown>
      cancel(of: FormKey): Promise<unknown>
    }
  }
  permission: {
    list(of: { sessionID: string }): Promise<readonly Permission[]>
    reply(answer: {
      sessionID: string
      requestID: string
      decision: Decision
      message?: string
    }): Promise<unknown>
  }
}

/** What opencode 2 tells of. Seen in 2.0.15. */
export type Data = {
  /** Goes on once opencode is back, unlike `rpc.events`. */
  on(type: "server.connected", hear: () => void): () => void
  on(
    type: ChangedEvent,
    hear: (event: { data: { owner: string }; location?: { directory?: string } }) => void,
  ): () => void
  session: { get(session: string): { title?: string; location?: { directory?: string } } | undefined }
}

type Permission = {
  id: string
  action: string
  resources: readonly string[]
  save?: readonly string[]
  metadata?: Record<string, unknown>
  source?: Source
}
type Source = { messageID?: string; id?: string }
type Message = { content?: readonly { id?: string; state?: { input?: Record<string, unknown> } }[] }
type FormKey = { sessionID: string; formID: string }

/** Where the server part is asked, of which each directory has its own. opencode's default is where it was started. */
type At = { location?: { directory: string } }

type Rpc = {
  list(given: { owner?: string }, at: At): Promise<unknown>
  glance(given: { owner: string; most: number }, at: At): Promise<unknown>
  read(given: { session: string }, at: At): Promise<unknown>
  inspect(given: object, at: At): Promise<unknown>
  cancel(given: { session: string }, at: At): Promise<unknown>
  send(given: { session: string; message: string }, at: At): Promise<unknown>
}

/** How long an answer may take which the server part knows, and one for which it has to ask opencode. Milliseconds. */
const quick = 5_000
const slow = 30_000

type ChangedEvent = `rpc.${typeof contract.id}.changed`

export type Place = { readonly directory?: string }

/** Jobs as the server part tells of them. */
export function jobsOf({
  client,
  data,
  here,
}: {
  client: Client
  data: Data
  here: () => Place | undefined
}): Jobs {
  const rpc = client.rpc(contract)
  const at = (directory = here()?.directory): At =>
    directory === undefined ? {} : { location: { directory } }
  /** A terminal shows sessions of other directories, too. */
  const where = (owner: string) => at(data.session.get(owner)?.location?.directory)
  const all = async () => toldOverview(await answered(rpc.list({}, at())))
  return {
    of: async (owner) => toldJobs(await answered(rpc.list({ owner }, where(owner)))),
    glance: async (owner, most) => toldGlance(await answered(rpc.glance({ owner, most }, where(owner)))),
    all,
    waiting: async () => (await all()).jobs.filter(({ asks }) => asks?.length),
    title: (owner) => data.session.get(owner)?.title || owner,
    read: async ({ session, owner }) => {
      const found = await answered(rpc.read({ session }, where(owner)), slow)
      return { prompt: textIn(found, "prompt"), text: textIn(found, "text") }
    },
    inspect: async () => textIn(await answered(rpc.inspect({}, at()), slow), "link"),
    cancel: async ({ session, owner }) => void (await answered(rpc.cancel({ session }, where(owner)))),
    send: async ({ session, owner }, message) =>
      void (await answered(rpc.send({ session, message }, where(owner)), slow)),
    request: async ({ session }, ask) => requestOf(client, ask.session ?? session, ask),
    answer: (request, answer) => inTime(reply(client, request, answer)),
    subscribe(hear, owner) {
      const ends = [
        data.on(`rpc.${contract.id}.changed`, ({ data: { owner: changed }, location }) => {
          if (owner === undefined ? isHere(location, here()) : owner === changed) hear()
        }),
        data.on("server.connected", hear),
      ]
      return () => {
        for (const end of ends) end()
      }
    },
  }
}

/** An opencode serves the terminals of all directories, and tells each of what happens in any. */
export const isHere = (place: Place | undefined, ...here: (Place | undefined)[]): boolean =>
  place?.directory === undefined ||
  here.every((each) => each?.directory === undefined) ||
  here.some((each) => each?.directory === place.directory)

/** @throws Error with words for the person: opencode rejects with plain objects */
async function answered(calling: Promise<unknown>, limitMs = quick): Promise<unknown> {
  const answer = await answeredIn(limitMs, calling).catch((error: unknown) => {
    throw textIn(error, "type") === "rpc.unavailable" ? new Error(absent) : inWords(error)
  })
  const refused = textIn(answer, "refused")
  if (refused !== "") throw new Error(refused)
  return answer
}

/** As 2.0.15 says that its server is away. */
const inWords = (error: unknown) =>
  textIn(error, "message") === "Transport" ? new Error(unreachable) : error

async function requestOf(client: Client, session: string, { id, kind }: Ask): Promise<Request | undefined> {
  const of = { sessionID: session }
  if (kind === "question") {
    const form = (await client.session.form.list(of)).find((each) => each.id === id)
    return form && { id, session, kind, questions: questionsOf(form) }
  }
  const permission = (await client.permission.list(of)).find((each) => each.id === id)
  if (!permission) return undefined
  const { action, resources: patterns, save: always = [], metadata, source } = permission
  const input = source?.messageID === undefined ? undefined : await inputOf(client, session, source)
  const parts = permissionParts({ action, patterns, metadata, input })
  return { id, session, kind, action, always, parts }
}

async function inputOf({ session }: Client, sessionID: string, { messageID = "", id }: Source) {
  const message = await session.message.get({ sessionID, messageID }).catch(() => undefined)
  const part = message?.content?.find((part) => part.id !== undefined && part.id === id)
  return part?.state?.input ?? "unreadable"
}

export async function reply(client: Client, request: Request, answer: Answer): Promise<void> {
  const { id, session: sessionID } = request
  switch (answer.kind) {
    case "decision": {
      const { decision, message } = answer
      const given = { sessionID, requestID: id, decision }
      if (message === undefined) return void (await client.permission.reply(given))
      const open = await client.permission.list({ sessionID })
      if (!open.some((each) => each.id === id)) throw new Error("PermissionNotFoundError")
      // 2.0.15 goes on with the turn for the sake of a message and keeps it to itself: the child reads it as a prompt,
      // with what the refusal came to.
      await client.session.prompt({ sessionID, text: message })
      await client.permission.reply({ ...given, message })
      return
    }
    case "answers": {
      const form = (await client.session.form.list({ sessionID })).find((each) => each.id === id)
      if (!form) throw new Error("FormNotFoundError")
      await client.session.form.reply({ sessionID, formID: id, answer: formAnswer(form, answer.answers) })
      return
    }
    case "dismissal":
      await client.session.form.cancel({ sessionID, formID: id })
  }
}

/** Whether it was: whoever comes after another answer is told that there is nothing to answer. */
async function inTime(replying: Promise<void>): Promise<boolean> {
  try {
    await replying
    return true
  } catch (error) {
    const words = ["name", "message", "type", "_tag"].map((name) => textIn(error, name)).join(" ")
    if (/NotFound|AlreadySettled/.test(words)) return false
    throw inWords(error)
  }
}
