import { idTail } from "../prompt-ids.ts"

/** The id of the only part of a message of ours: it follows from the message's, so that both are stored once. */
export const partIDOf = (messageID: string) => `prt_${messageID.slice(4, 16)}${idTail(`part ${messageID}`)}`
