import type { ModelChoice } from "../../machines/events.ts"
import type { Ask, JobError, Usage } from "../../machines/record.ts"
import type { ShownMessage } from "../../shown/conversation.ts"
import type { ChangedFiles } from "../../shown/files.ts"
import type { Answer, Request } from "../../shown/requests.ts"
import type { slashes, TerminalService } from "../../terminal/contract.ts"
import type { Problems } from "../util/problems.ts"

export type { ModelChoice }

/**
 * opencode in this product's words. Each generation has an adapter, `v1/host.ts` and `v2/host.ts`: nothing else knows
 * opencode's clients and shapes, or which generation runs.
 */
export type Host = {
  /** What the running opencode lacks or answers in an unknown way, and what is wrong in the configuration. */
  readonly problems: Problems
  /** Waits for as long as it takes: a session that came after its caller had left would stay behind unseen. */
  createSession(session: NewSession): Promise<Result<Pick<HostSession, "id">>>
  deleteSession(session: string): Promise<Result<unknown>>
  /** Replaces a session's own rules. */
  setRules(session: string, rules: PermissionRule[]): Promise<Result<unknown>>
  session(session: string): Promise<Result<HostSession>>
  /** Sessions of this project that changed since then, epoch milliseconds; children are where their owner is. */
  sessionsSince(since: number): Promise<Result<FoundSessions>>
  children(session: string): Promise<Result<FoundSessions>>
  /** Whether its turn is under way, as far as this opencode knows: each process knows its own turns alone. */
  isBusy(session: string): Promise<Result<boolean>>
  /** Oldest first. */
  messages(session: string): Promise<Result<HostMessage[]>>
  /**
   * The same as people read it, with tools and thoughts. A text that is being written is there once opencode has stored
   * it, or empty.
   * @param from the message that it may begin with, if it is still there
   */
  conversation(session: string, from?: string): Promise<Result<ShownMessage[]>>
  /** Which files a session has changed, as far as opencode knows. */
  files(session: string): Promise<Result<ChangedFiles>>
  /** The model that has made this tool call; nothing where opencode does not say. */
  modelOf(call: ToolCallPlace): Promise<Result<ModelChoice | undefined>>
  /**
   * Changes what a session keeps for this product (`HostSession.stored`) and nothing else of it. `change` gets what
   * is there and gives what is to be there instead, or nothing to leave it. opencode has no compare-and-set: what
   * another process writes between the read and the write is overwritten.
   */
  updateStored(session: string, change: (stored: unknown) => object | undefined): Promise<Result<unknown>>
  /**
   * Returns when the child's turn is over, however long that takes. A failure of the model is no failure of the
   * call: see `AssistantMessage.end`.
   */
  prompt(prompt: Prompt): Promise<Result<HostMessage>>
  /**
   * Puts a message into an owner's conversation and has a turn read it. It is stored once under its id and read once,
   * however often this is called: as it was first, whose mark is returned.
   */
  deliver(message: OwnerMessage, turn: WantedTurn): Promise<Result<Pick<OwnerMessage, "mark">>>
  /**
   * Messages whose delivery to this owner has begun, if its `messages` cannot be trusted to show those that are there.
   */
  begunDeliveries(owner: string): Promise<Result<BegunDelivery[]>>
  /** Has a session go on with another model. Not there where each prompt says its own. */
  switchModel?: (session: string, choice: ModelChoice) => Promise<Result<unknown>>
  /** Hands a child more text: a busy one takes it up at its next step, an idle one starts a turn. */
  steer(prompt: Prompt): Promise<Result<unknown>>
  /** Ends the turn for real; closing the request of `prompt` would not. */
  abort(session: string): Promise<Result<unknown>>
  /**
   * Takes back a request of a turn that is over, which opencode would go on to show to the person. Not there where
   * opencode does that by itself.
   */
  withdraw?: (session: string, request: Ask) => Promise<Result<unknown>>
  /** What a session asks a person, in full; nothing where that is no longer asked. */
  request(session: string, ask: Ask): Promise<Result<Asked | undefined>>
  /** Answers it in the person's name. Whether it was still asked. */
  answer(request: Request, answer: Answer): Promise<Result<boolean>>
  /** Shows how a running tool call is doing. Returns when it is shown; once `signal` aborts, it is no more tried. */
  showProgress(call: ToolCallPlace, progress: Progress, signal: AbortSignal): Promise<Result<unknown>>
  /**
   * Has `hear` told once more what is under way in this session: the requests that wait for a person, the tools that
   * run, a pause of the provider. Not there where turns end with the instance of the plugin that heard it begin.
   */
  tellAgain?: (session: string, hear: (event: HostEvent) => void) => Promise<Result<unknown>>
  /** Those that this session could start. */
  agents(session: string): Promise<Result<HostAgent[]>>
  /** What sessions in this directory can be given, as its own configuration has it: opencode loads it for that. */
  offeredIn(directory: string): Promise<Result<Offer>>
  /** Whether opencode has loaded this directory in this process, and reads its configuration no more, or as it changes. */
  hasLoaded(directory: string): boolean
  /**
   * Hears whenever `agents` may answer otherwise than before; returns what ends that. Not there where they stay as
   * opencode has begun with.
   */
  onAgentsChanged?: (listener: () => void) => () => void
  models(session: string): Promise<Result<HostModel[]>>
  /** Not there where opencode lets plugins show none. */
  toast?: (toast: Toast) => Promise<Result<unknown>>
  /** Answers the part in the terminal. Not there where opencode has no channel between the two. */
  serveTerminal?: (service: TerminalService) => Promise<Result<TerminalChannel>>
  log(level: "debug" | "info" | "warn" | "error", message: string): Promise<Result<unknown>>
}

export type TerminalChannel = {
  /** Says that the jobs of this owner have changed, to whoever listens. */
  changed(owner: string): void
  /** Shows it in each terminal that is there. */
  toast(toast: Toast): void
  end(): Promise<void>
}

/** A call's outcome. opencode fails in three ways (rejects, resolves with an error, says nothing): here they are one. */
export type Result<T> = { ok: true; value: T } | { ok: false; error: HostError }
export type HostError = {
  message: string
  /** HTTP's, where opencode answered. 404: what the call was about is gone. */
  status?: number | undefined
  /** opencode gave no answer: whether the call had its effect is not known. */
  isInDoubt?: boolean
}

/** What the call was about was deleted, and will not come back. */
export const isGone = (result: Result<unknown>): boolean => !result.ok && result.error.status === 404

/** `unread`: why some of them could not be read now, where there are such. */
export type FoundSessions = { sessions: HostSession[]; unread?: HostError | undefined }

/** Of several that match, the last one holds; `ask` where none does. `*` and `?` are wildcards. */
export type PermissionRule = { permission: string; pattern: string; action: "allow" | "ask" | "deny" }

/** `unanswerable`: why `answer` cannot be had for it, where that is so. For people, a sentence. */
export type Asked = Request & { unanswerable?: string }

export type HostAgent = {
  name: string
  /** Whether it can be a child's agent. */
  isSubagent: boolean
  /** Not offered to anybody. */
  isHidden: boolean
  rules: PermissionRule[]
  /** `provider/model`; absent where it takes that of whoever asks. */
  model?: string | undefined
}

/** `models`: absent where opencode does not say. */
export type Offer = { agents: HostAgent[]; models?: HostModel[] | undefined }

/** `name`: `provider/model`. `isUnpriced`: whatever it is used for, opencode says that it cost nothing. */
export type HostModel = { name: string; variants: string[]; isUnpriced?: true }

export type HostSession = {
  id: string
  parent?: string | undefined
  /** Where its tools run. */
  directory: string
  /** For people. */
  title: string
  /** Whether its user has undone messages and may still bring them back: any prompt would make that final. */
  isReverted: boolean
  rules: PermissionRule[]
  /** Over all its turns. */
  usage: Usage
  /** Epoch milliseconds. */
  updatedAt: number
  /** What it keeps for this product: whatever was written there, by whomever. */
  stored: unknown
}

export type NewSession = {
  parent: string
  /** The tool call that it is made for. */
  call: ToolCallPlace & { agent: string }
  /** `provider/model` */
  model?: string | undefined
  variant?: string | undefined
  title: string
  agent: string
  rules: PermissionRule[]
  stored: object
  /** Its job was permitted before: nobody is asked again. */
  isPermitted?: boolean
  /** Where its tools are to run, without symbolic links; it is not made where they would run elsewhere. Default: where its parent's do. */
  directory?: string | undefined
}

export type HostMessage = UserMessage | AssistantMessage

type Message = {
  id: string
  /** What it says, without what opencode or this product added unseen. */
  text: string
  /** `provider/model` */
  model: string
  variant?: string | undefined
  /** What this product's own parts carry unseen. */
  marks: unknown[]
}

export type UserMessage = Message & {
  role: "user"
  agent: string
  /**
   * It is the summary that opencode put in the place of all that was said before then, epoch milliseconds. What it
   * stands for is not to be had any more.
   */
  summarizesUntil?: number
  /** False until opencode has closed its turn, which it does not where it ends itself; absent where it does not say. */
  isOver?: boolean
}

export type AssistantMessage = Message & {
  role: "assistant"
  /** The messages whose turn it belongs to: the prompt, and what came while that turn ran. */
  answers: string[]
  /** Present once it is the last of its turn. */
  end?: MessageEnd | undefined
  /** The call of a tool at which its turn ended, where it ended without an answer. */
  refusal?: string | undefined
}

/** `error`: the model, its provider or somebody outside ended the turn. */
export type MessageEnd = {
  error?: JobError | undefined
  /** The error is that the model cannot be had: see `Answer`. */
  isUnavailable?: true
  /** The model's output limit cut its text off. */
  isTruncated?: true
  /** Epoch milliseconds; absent where opencode does not say. */
  at?: number | undefined
}

export type Prompt = {
  session: string
  messageID: string
  text: string
  agent: string
  /** `provider/model` */
  model?: string | undefined
  variant?: string | undefined
}

/** What an owner is told; the person does not see it. */
export type OwnerMessage = Prompt & {
  /** What it is to carry unseen: see `marks`. */
  mark: unknown
}

/** The turn that is to read a message, asked about once the message is stored. */
export type WantedTurn = {
  /** Whether it is still to be started: one that somebody else has begun meanwhile reads the message as well. */
  isWanted(): boolean
}

export type BegunDelivery = Pick<OwnerMessage, "messageID" | "mark">

/** Where a tool's call stands in its owner's conversation. */
export type ToolCallPlace = { session: string; message: string; call: string | undefined }

export type Progress = { title: string; metadata: Record<string, unknown> }

/** A call of one of this product's tools. */
export type ToolCall = {
  place: ToolCallPlace
  /** The agent that calls. */
  agent: string
  /** Aborts when the user interrupts the turn. */
  signal: AbortSignal
  /**
   * Asks for the permission to start a subagent, as opencode's own tool does, for as long as the user takes. It fails
   * once `signal` aborts, and asks nobody from then on.
   * @param child which is to go on; a new one is to be started without it
   */
  askToStart(agent: string, description: string, child?: string): Promise<StartPermission>
  /**
   * Asks for the permission to change, create or remove files, as opencode's own tool does.
   * @param root the working tree in which they are, by paths within it
   */
  askToEdit(root: string, files: readonly string[]): Promise<StartPermission>
  /** Asks for the permission to run a command in the shell, as opencode's own tool does, in the same way. */
  askToRun(command: string): Promise<StartPermission>
}

export type StartPermission =
  | { type: "granted" }
  /** By a rule: nobody was asked. */
  | { type: "denied" }
  /** By the user, who may have said what to do instead. */
  | { type: "rejected"; feedback?: string | undefined }
  /** By opencode, whatever the rules and the user say; `reason` tells what the user would have to set. */
  | { type: "prevented"; reason: string }
  | { type: "failed"; reason: string }

export type ToolAnswer = { title: string; output: string; metadata: Record<string, unknown> }

export type Tool = {
  description: string
  /** JSON Schema of the arguments, by name. */
  arguments: Record<string, { schema: Record<string, unknown>; isOptional: boolean }>
  run(given: unknown, call: ToolCall): Promise<ToolAnswer>
}

export type Toast = {
  message: string
  variant: "info" | "success" | "warning" | "error"
  /** Milliseconds. */
  duration?: number
  /** Where the person can do something about it, and what they can call for that in a terminal. */
  leadsTo?: { session: string; command: keyof typeof slashes }
}

/** What happens in opencode, decoded once. All carry the session that it happens in. */
export type HostEvent = { session: string } & (
  | { type: "session.created"; parent: string | undefined }
  | { type: "session.deleted" }
  /** A turn begins or goes on: the model is asked, for this message if opencode says so. */
  | { type: "session.busy"; message?: string; asked?: ModelChoice }
  | { type: "session.idle" }
  /** The provider failed and opencode tries again at `next`, epoch milliseconds. */
  | { type: "session.retrying"; attempt: number; reason: string; next: number }
  /** The user interrupted the turn. */
  | { type: "session.interrupted" }
  | { type: "usage.changed"; usage: Usage }
  | { type: "message.stored" }
  /** Its conversation no longer holds all that it did: an undo has become final. */
  | { type: "messages.removed" }
  /** A part of the answer begins or is whole; `text` is what it has by now. */
  | { type: "text.updated"; part: string; text: string }
  | { type: "reasoning.updated"; part: string }
  | { type: "text.streamed"; part: string; delta: string }
  /** The model is still writing the arguments of a call. */
  | { type: "tool.pending"; call: string; tool: string }
  /** `isSubagent`: the call waits for a subagent of opencode's own, which has activity and tools of its own. */
  | { type: "tool.running"; call: string; tool: string; isSubagent: boolean; title: string | undefined }
  /**
   * `mark`: what the result of one of our tools carries unseen, which the conversation now holds; `isInDoubt`: or
   * does not, if another opencode has ended the call there.
   */
  | { type: "tool.ended"; call: string; tool: string; mark: unknown; isInDoubt?: boolean }
  /** The conversation now holds a message of ours, with what it carries unseen. */
  | { type: "mark.stored"; mark: unknown }
  | { type: "request.opened"; request: Ask }
  | { type: "request.closed"; request: string }
)

/**
 * Rejects, in words, where opencode must not load a directory: a job has put there what opencode would run. To be asked
 * of each directory that is not loaded yet, before anything has opencode load it.
 */
export type LoadGuard = (directory: string) => Promise<unknown>
