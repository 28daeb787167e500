import type { JobRecord } from "../../src/machines/record.ts"
import type { HostMessage, PermissionRule } from "../../src/plugin/host/port.ts"
import type { StoredJob } from "../../src/plugin/records/stored-job.ts"
import type { Happenings } from "./happenings.ts"
import type { ScriptedModel } from "./scripted-model.ts"

/** opencode 1.18, and 2.x. */
export type Generation = 1 | 2

export const nameOf = (generation: Generation) => (generation === 1 ? "opencode 1.18" : "opencode 2")

export interface ProjectOptions {
  model: ScriptedModel
  /** The plugin to load (the built one) and its options; false for none. */
  plugin?: { path?: string; options?: object } | false
  /** Goes over the keys of the standard opencode.json, in the form of 1.18, which 2.x reads as well. */
  config?: Record<string, unknown>
}

export interface OpencodeOptions extends ProjectOptions {
  env?: Record<string, string>
  /** Of the server. Default: none in 1.18; opencode 2 always has one. */
  password?: string
  /** The home of another opencode, to share its store. Its maker removes it. */
  home?: string
  /** The project of another opencode, with its opencode.json. Its maker removes it. */
  project?: string
}

/** A project in the real opencode of either generation, with an instance of the plugin of its own. */
export interface AnyProject {
  readonly generation: Generation
  readonly home: string
  readonly project: string
  /** From its opening on. */
  readonly events: Happenings
  /** Its agent and model are those of every turn. Default: those of the project. */
  session(init?: { agent?: string; rules?: PermissionRule[] }): Promise<string>
  /** A person's words, and the turn that they set off. */
  say(session: string, text: string): Promise<void>
  /** Makes the session's main agent call one tool, and waits until its turn is over. */
  callTool(session: string, tool: string, args: object): Promise<ToolOutcome>
  /** The same without waiting. The model gives the call this id; default: one of its own. */
  startTool(session: string, tool: string, args: object, callID?: string): StartedCall
  /** The outcome of a call that has ended, as the session's conversation holds it. */
  outcomeOf(session: string, callID: string): Promise<ToolOutcome | undefined>
  /** A conversation, oldest first. */
  messages(session: string): Promise<HostMessage[]>
  /** What a session's model was told in the user's name, oldest first. */
  userTexts(session: string): Promise<string[]>
  children(owner: string): Promise<Child[]>
  /** An owner's jobs as they lie in opencode's store. */
  stored(owner: string): Promise<KeptJob[]>
  isBusy(session: string): Promise<boolean>
  /** What a person does with Esc. */
  abort(session: string): Promise<void>
  /** Takes the last words of the person back, with all that followed: for good once they say something else. */
  undo(session: string): Promise<void>
  compact(session: string): Promise<void>
  deleteSession(session: string): Promise<void>
  /** Answers a permission request. */
  reply(session: string, request: string, decision: "once" | "always" | "reject"): Promise<void>
  /** Answers a question of one field; without an answer it is dismissed. */
  answer(session: string, request: string, answer?: string): Promise<void>
  /** Ends the plugin's instance and makes a new one, in the same process. */
  reload(): Promise<void>
  /** Removes the project and what else was made for it. */
  stop(): Promise<void>
}

/** An opencode of one's own, and the project in which it was started; it ends with `stop`. */
export interface AnyOpencode extends AnyProject {
  /** That of the running process: another after `restart`. */
  readonly url: string
  readonly pid: number
  /** What opencode and the plugin logged, over all starts. */
  log(): string
  /** Another project in the same process: it ends, is there again and is removed with the first one. */
  open(options: ProjectOptions): Promise<AnyProject>
  /** SIGKILL for the whole process group, as a crash would; home and project stay for `restart`. */
  kill(): Promise<void>
  /** Starts it again in the same home and project, after ending it as `stop` does if it still runs. */
  restart(): Promise<void>
  /**
   * Starts it again, and another in the same home and project, so that both load the plugin at the same moment.
   * Returns the other.
   */
  restartBesideAnother(): Promise<AnyOpencode>
}

/** How a finished tool call looks to the owner. */
export interface ToolOutcome {
  status: "completed" | "error"
  /** What the model reads; empty when it failed. */
  output: string
  /** Empty on opencode 2, which shows none. */
  title: string
  metadata: Record<string, unknown>
  /** Why it failed. */
  error?: string
}

/** A tool call under way. */
export interface StartedCall {
  readonly callID: string
  /** The outcome, when the whole turn is over. Rejects when the turn ends without the call having ended. */
  readonly done: Promise<ToolOutcome>
  /** Resolves once it runs. */
  running(): Promise<void>
  /** The first that it shows while it runs that matches, past ones included. */
  shown(matches: (shown: Shown) => boolean, timeoutMs?: number): Promise<Shown>
}

export interface Shown {
  jobs: JobRecord[]
  /** Empty on opencode 2, which shows none. */
  title: string
}

export type KeptJob = StoredJob & { session: string }

/** A child session of an owner. */
export interface Child {
  id: string
  parent: string | undefined
  title: string
  agent: string | undefined
}
