import { within } from "../../util/within.ts"
import type { Context } from "./api.ts"
import type { Call } from "./calls.ts"
import { decodeRequests } from "./decode.ts"
import { answerTimeout, NoAnswerError } from "./in-time.ts"

/** Longest silence of opencode's own tool while it asks nobody. Milliseconds. */
const silenceLimit = 30_000

/** Waits for one of opencode's own tools: a person who is asked may take any time, opencode may not. */
export async function unlessSilent(
  context: Pick<Context, "permission">,
  { sessionID }: Pick<Call, "sessionID">,
  running: Promise<unknown>,
): Promise<void> {
  const ended = running.then(() => true)
  for (let silentMs = 0; silentMs < silenceLimit; ) {
    if (await within(answerTimeout, ended, () => false)) return
    silentMs = (await isAsking(context, sessionID)) ? 0 : silentMs + answerTimeout
  }
  throw new NoAnswerError(silenceLimit)
}

/** Where opencode cannot tell, it may be. */
async function isAsking({ permission }: Pick<Context, "permission">, sessionID: string): Promise<boolean> {
  try {
    return decodeRequests(await permission.list({ sessionID })).length > 0
  } catch (thrown) {
    return !(thrown instanceof NoAnswerError)
  }
}
