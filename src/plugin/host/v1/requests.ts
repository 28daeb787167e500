import type { PermissionRequest, QuestionRequest } from "@opencode-ai/sdk/v2"
import type { Input } from "../../../shown/permission-parts.ts"
import { permissionParts } from "../../../shown/permission-parts.ts"
import { questionsOfOne } from "../../../shown/questions-of-1.ts"
import type { Request } from "../../../shown/requests.ts"
import type { MessageWithParts } from "./decode.ts"

/** @param input what the call was given that asks; nothing where no call does */
export function decodePermission({
  asked,
  input,
}: {
  asked: PermissionRequest
  input: Input | undefined
}): Request {
  const { id, sessionID: session, permission: action, patterns, metadata, always } = asked
  const parts = permissionParts({ action, patterns, metadata, input })
  return { id, session, kind: "permission", action, parts, always }
}

export const decodeQuestion = ({ id, sessionID: session, questions }: QuestionRequest): Request => ({
  id,
  session,
  kind: "question",
  questions: questionsOfOne(questions),
})

export function inputOf({ parts }: MessageWithParts, call: string): Input {
  const part = parts.find((each) => each.type === "tool" && each.callID === call)
  return part?.type === "tool" ? part.state.input : "unreadable"
}
