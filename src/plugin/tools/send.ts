import type { JobRecord } from "../../machines/record.ts"
import { childRules, exceedsOwner } from "../children/permissions.ts"
import type { Result, StartPermission, ToolAnswer, ToolCall } from "../host/port.ts"
import { statusLine } from "../records/words.ts"
import { readArguments, SendArguments } from "./arguments.ts"
import { elsewhereWords, type Services, unknownTitle, unknownWords, withoutText } from "./services.ts"

/** Tells a running job something more, or gives an ended one a follow-up: a new run in the same child session. */
export async function send(services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { id, message } = readArguments(SendArguments, given)
  const owner = call.place.session
  const record = services.troupe.records.get(owner, id)
  if (!record) {
    const elsewhere = await elsewhereWords(services, owner, "anew")
    return {
      title: unknownTitle([id]),
      output: [...unknownWords(services, owner, [id]), ...elsewhere].join("\n"),
      metadata: { jobs: [] },
    }
  }
  if (record.session !== "") await holdTo(services, record, call)
  const words = await services.messenger.send(record, message)
  const current = services.troupe.records.get(owner, id) ?? record
  return {
    title: `${id}: ${words}`,
    output: `${words}\n${statusLine(current, services.now())}`,
    metadata: { jobs: withoutText([current]) },
  }
}

/**
 * The owner may have another agent now than when it started the job, one that may do less: it has to be permitted to
 * direct this one, and what it may not do itself, the child may not either.
 */
async function holdTo({ host }: Services, record: JobRecord, call: ToolCall): Promise<void> {
  const permission = await call.askToStart(record.agent, record.description, record.session)
  if (permission.type !== "granted")
    throw new Error(`${refusal(permission, record, call)}. Nothing was sent.`)
  const [agents, owner, child] = await Promise.all([
    host.agents(),
    host.session(call.place.session),
    host.session(record.session),
  ])
  // A session that is gone has nobody in it to hold back; the messenger says so.
  if (!child.ok && child.error.status === 404) return
  const rules = answered(child).rules
  const agent = answered(agents).find(({ name }) => name === record.agent)
  if (!agent) return
  const ownAgent = answered(agents).find(({ name }) => name === call.agent)
  const own = answered(owner).rules
  const childsOwn = [...agent.rules, ...rules]
  if (!exceedsOwner(own, ownAgent, childsOwn)) return
  // What held before still holds: these are the stricter of both.
  const ceiling = childRules(own, ownAgent, { rules: childsOwn }, true)
  answered(await host.setRules(record.session, [...rules, ...ceiling]))
}

function refusal(permission: StartPermission, { agent }: JobRecord, call: ToolCall): string {
  switch (permission.type) {
    case "rejected":
      return permission.feedback ? `The user refused: ${permission.feedback}` : "The user refused"
    case "failed":
      return `opencode did not say whether it is permitted: ${permission.reason}`
    default:
      return `"${call.agent}" may not direct "${agent}"`
  }
}

function answered<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(`opencode did not answer (${result.error.message}). Nothing was sent.`)
}
