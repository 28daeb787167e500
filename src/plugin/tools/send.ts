import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { statusLine } from "../records/words.ts"
import { readArguments, SendArguments } from "./arguments.ts"
import { type Services, unknownTitle, unknownWords, withoutText } from "./services.ts"

/** Tells a running job something more, or gives an ended one a follow-up: a new run in the same child session. */
export async function send(services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { id, message } = readArguments(SendArguments, given)
  const owner = call.place.session
  const record = services.troupe.records.get(owner, id)
  if (!record) {
    return {
      title: unknownTitle([id]),
      // Stryker disable next-line StringLiteral: there is one line
      output: unknownWords(services, owner, [id]).join("\n"),
      metadata: { jobs: [] },
    }
  }
  const words = await services.messenger.send(record, message)
  const current = services.troupe.records.get(owner, id) ?? record
  return {
    title: `${id}: ${words}`,
    output: `${words}\n${statusLine(current, services.now())}`,
    metadata: { jobs: withoutText([current]) },
  }
}
