import type { Agent, Message, Part, Session } from "@opencode-ai/sdk/v2"
import type { OwnerMessage, PermissionRule, Prompt } from "../../../src/plugin/host/port.ts"
import { type MessageWithParts, OUR_KEY } from "../../../src/plugin/host/v1/decode.ts"

/** What opencode's client returns, whole as its types ask for it. */

export function agentOf(name: string, permission: PermissionRule[] = [], fields: Partial<Agent> = {}): Agent {
  return { name, mode: "subagent", permission, options: {}, ...fields }
}

export function sessionOf(id: string, fields: Partial<Session> = {}): Session {
  return {
    id,
    slug: id,
    projectID: "project",
    directory: "/project",
    title: id,
    version: "1.18.33",
    time: { created: 0, updated: 0 },
    ...fields,
  }
}

/** The message of a prompt, as the session has it. */
export function askedBy({ session, messageID, text, agent, model = "fake/m1" }: Prompt): MessageWithParts {
  const [providerID = "", modelID = ""] = model.split("/")
  const info: Message = {
    id: messageID,
    sessionID: session,
    role: "user",
    time: { created: 0 },
    agent,
    model: { providerID, modelID },
  }
  return { info, parts: [textPart(session, messageID, text)] }
}

/** A message that was delivered to an owner, as its session has it. */
export function deliveredAs({ mark, ...prompt }: OwnerMessage): MessageWithParts {
  const { info, parts } = askedBy(prompt)
  const unseen = { synthetic: true, metadata: { [OUR_KEY]: mark } }
  return { info, parts: parts.map((part) => (part.type === "text" ? { ...part, ...unseen } : part)) }
}

type AssistantMessage = Extract<Message, { role: "assistant" }>

/** The child's answer to the prompt of this id. With an empty `finish`, one that is not at its end. */
export function answerTo(
  asked: { session: string; messageID: string },
  text: string,
  { finish = "stop", ...fields }: Partial<AssistantMessage> = {},
): MessageWithParts {
  const id = `${asked.messageID}-answer`
  const info: AssistantMessage = {
    id,
    sessionID: asked.session,
    role: "assistant",
    time: { created: 0, completed: 1 },
    parentID: asked.messageID,
    modelID: "m1",
    providerID: "fake",
    mode: "general",
    agent: "general",
    path: { cwd: "/project", root: "/project" },
    cost: 0,
    tokens: { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } },
    ...(finish !== "" && { finish }),
    ...fields,
  }
  return { info, parts: text === "" ? [] : [textPart(asked.session, id, text)] }
}

export function textPart(session: string, messageID: string, text: string): Part {
  return { id: `${messageID}-text`, sessionID: session, messageID, type: "text", text }
}
