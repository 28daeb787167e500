import type { HostMessage } from "../../src/plugin/host/port.ts"
import { answered } from "./answered.ts"
import type { Opencode } from "./opencode.ts"

/** Whether a user message is the plugin's word of ended jobs. */
export const isNotification = (text: string) => text.includes("a message from opencode-troupe")

/** What a session's model was told in the user's name, oldest first. */
export async function userTexts({ client }: Pick<Opencode, "client">, session: string): Promise<string[]> {
  const messages = await answered("the messages", client.session.messages({ sessionID: session }))
  return messages
    .filter(({ info }) => info.role === "user")
    .map(({ parts }) => parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n"))
}

/** The id of the person's last message. */
export function lastAsked(messages: readonly HostMessage[]): string {
  const last = messages.findLast(({ role, marks }) => role === "user" && marks.length === 0)
  if (!last) throw new Error("Nothing was asked")
  return last.id
}
