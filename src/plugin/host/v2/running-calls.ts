import type { ToolCallPlace } from "../port.ts"
import type { Call } from "./calls.ts"

/** A call of one of this product's tools while it runs, and what it has got by now. */
export type RunningCall = {
  call: Call
  /** The agents that it was permitted to start. */
  permitted: Set<string>
  /** By agent, the session that is there before the job that takes it. */
  ready: Map<string, string>
}

/**
 * The calls that run, by their place: a call's id is its provider's, and some count the calls of each conversation, so
 * that two sessions have the same ones.
 */
export class RunningCalls {
  readonly #calls = new Map<string, RunningCall>()

  begin(call: Call): RunningCall {
    const running: RunningCall = { call, permitted: new Set(), ready: new Map() }
    this.#calls.set(keyOf(placeOf(call)), running)
    return running
  }

  end({ call }: RunningCall): void {
    this.#calls.delete(keyOf(placeOf(call)))
  }

  at(place: ToolCallPlace): RunningCall | undefined {
    return this.#calls.get(keyOf(place))
  }
}

export const placeOf = ({ sessionID: session, messageID: message, id: call }: Call): ToolCallPlace => ({
  session,
  message,
  call,
})

const keyOf = ({ session, message, call }: ToolCallPlace) => JSON.stringify([session, message, call])
