import type { HostMessage } from "../../src/plugin/host/port.ts"
import type { ScriptedModel } from "./scripted-model.ts"
import type { ToolOutcome } from "./tool-call.ts"

export type { ToolOutcome }

export type Generation = 1 | 2

export interface OpencodeOptions {
  model: ScriptedModel
  /** The plugin's options; false for none of ours. */
  plugin?: { options?: object } | false
  env?: Record<string, string>
  /** Goes over the keys of the standard opencode.json. */
  config?: Record<string, unknown>
  /** Those of another opencode, to share its store. */
  home?: string
  project?: string
}

/** A child session of an owner. */
export interface Child {
  id: string
  parent: string | undefined
  title: string
  agent: string | undefined
  /** What the plugin keeps for it. */
  stored: unknown
}

export interface StartedCall {
  readonly callID: string
  /** The outcome, when the whole turn is over. */
  readonly done: Promise<ToolOutcome>
}

/** The real opencode of either generation, as far as tests that hold for both need it. */
export interface AnyOpencode {
  readonly generation: Generation
  readonly home: string
  readonly project: string
  session(init?: { agent?: string }): Promise<string>
  /** A person's words, and the turn that they set off. */
  say(session: string, text: string): Promise<void>
  /** Makes the session's main agent call one tool, and waits until its turn is over. */
  callTool(session: string, tool: string, args: object): Promise<ToolOutcome>
  /** The same without waiting. */
  startTool(session: string, tool: string, args: object): StartedCall
  /** The outcome of a call that has ended, as the session's conversation holds it. */
  outcomeOf(session: string, callID: string): Promise<ToolOutcome | undefined>
  messages(session: string): Promise<HostMessage[]>
  /** What a session's model was told in the user's name, oldest first. */
  userTexts(session: string): Promise<string[]>
  /** The children that the plugin made for this owner. */
  children(owner: string): Promise<Child[]>
  isBusy(session: string): Promise<boolean>
  abort(session: string): Promise<void>
  reply(session: string, request: string, decision: "once" | "always" | "reject"): Promise<void>
  /** Ends the plugin's instance and makes a new one, in the same process. */
  reload(): Promise<void>
  /** Hears of every event of opencode from now on, until the returned function is called. */
  onEvent(hear: () => void): Promise<() => void>
  log(): string
  /** SIGKILL, as a crash would; `restart` goes on in the same home and project. */
  kill(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}
