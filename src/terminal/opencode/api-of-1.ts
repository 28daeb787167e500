import type { Decision } from "../../shown/requests.ts"
import type { Element } from "../solid.ts"
import type { Attention } from "./notices.ts"
import type { Client, Place, Told } from "./requests-of-1.ts"

/** What opencode 1.18 hands to a terminal part, as far as it is used. Seen in 1.18.33. */
export type Api = {
  client: {
    session: Client["session"] & {
      list(of: { limit: number; scope: "project" }): Promise<{ data?: Session[]; error?: unknown }>
      children(of: { sessionID: string }): Promise<{ data?: Session[]; error?: unknown }>
      messages(of: { sessionID: string }): Promise<{ data?: Message[]; error?: unknown }>
      message(of: { sessionID: string; messageID: string }): Promise<{ data?: Message }>
    }
    tui: {
      publish(event: {
        body: { type: "tui.command.execute"; properties: { command: string } }
      }): Promise<{ error?: unknown }>
    }
    tool: { ids(): Promise<{ data?: readonly string[] }> }
    app: {
      log(line: { service: string; level: "warn"; message: string }): Promise<unknown>
    }
    permission: Client["permission"] & {
      reply(answer: Place & { requestID: string; reply: Decision; message?: string }): Promise<Replied>
    }
    question: Client["question"] & {
      reply(answer: Place & { requestID: string; answers: string[][] }): Promise<Replied>
      reject(of: Place & { requestID: string }): Promise<Replied>
    }
  }
  attention: Attention
  keymap: {
    registerLayer(layer: {
      mode?: "modal"
      priority?: number
      commands: KeymapCommand[]
      bindings?: readonly Binding[]
    }): () => void
    getCommandBindings(of: { visibility: "registered"; commands: string[] }): Map<string, readonly Binding[]>
  }
  keys: { formatBindings(bindings: readonly Binding[] | undefined): string | undefined }
  tuiConfig: { keybinds: { get(command: string): readonly Binding[] } }
  renderer: { copyToClipboardOSC52(text: string): boolean }
  ui: {
    dialog: {
      replace(draw: () => Element, onClose?: () => void): void
      setSize(size: "large"): void
      clear(): void
    }
    DialogPrompt(question: {
      title: string
      placeholder: string
      value?: string | undefined
      onConfirm(value: string): void
      onCancel(): void
    }): Element
    toast(toast: { message: string; variant: "info" | "success" | "warning" | "error" }): void
  }
  state: {
    path: { directory: string }
    session: {
      get(session: string): { title?: string } | undefined
      status(session: string): Status | undefined
    }
  }
  event: {
    on(type: string, hear: (event: { properties: EventProperties & Told }, from?: Place) => void): () => void
  }
  slots: {
    register(slots: {
      order: number
      slots: Record<string, (context: unknown, props: SlotProps) => Element>
    }): void
  }
  theme: { current: Record<ThemeColor, unknown> }
  route: {
    navigate(to: "session", params: { sessionID: string }): void
    readonly current: { params?: { sessionID?: string } }
  }
}

type ThemeColor =
  | "text"
  | "textMuted"
  | "success"
  | "error"
  | "warning"
  | "accent"
  | "primary"
  | "selectedListItemText"
  | "backgroundElement"
type KeymapCommand = { name: string; title: string; namespace?: "palette"; slashName?: string; run(): void }
export type Binding = { key: unknown; cmd?: unknown }
export type Replied = { error?: unknown; response?: { status: number } }
export type Message = { info: { id: string; role: string; summary?: unknown }; parts: MessagePart[] }
type MessagePart = {
  type: string
  text?: string
  synthetic?: boolean
  callID?: string
  state?: { input?: Record<string, unknown> }
}
type SlotProps = { session_id: string }
export type Session = {
  id: string
  title?: string
  parentID?: string
  directory?: string
  metadata?: unknown
}
type Status =
  | { type: "idle" }
  | { type: "busy" }
  | { type: "retry"; attempt: number; message: string; next: number }
type EventProperties = {
  title?: string
  message?: string
  command?: string
  sessionID?: string
  info?: Session
  status?: Status
  delta?: string
  part?: Part
}
export type Part = {
  sessionID: string
  type: string
  tool?: string
  text?: string
  time?: object
  state?: { status: string; title?: string }
}
