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
