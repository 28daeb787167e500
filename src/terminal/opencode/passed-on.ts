import { contract, type PassedAnswer } from "../contract.ts"
import { type Client, reply } from "./jobs-of-2.ts"

export type AnswerEvent = `rpc.${typeof contract.id}.answer`

export type AnswerEvents = {
  on(type: AnswerEvent, hear: (event: { data: PassedAnswer }) => void): () => void
}

/** Gives the answers that the server part was handed elsewhere, as in the inspector. Returns what ends that. */
export const passAnswersOn = (client: Client, events: AnswerEvents): (() => void) =>
  events.on(`rpc.${contract.id}.answer`, ({ data: { session, request: id, answers } }) => {
    const answer = answers ? ({ kind: "answers", answers } as const) : ({ kind: "dismissal" } as const)
    // Of several terminals one comes first.
    void reply(client, { id, session, kind: "question", questions: [] }, answer).catch(() => {})
  })
