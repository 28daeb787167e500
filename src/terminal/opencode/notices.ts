import { plainLines } from "../../util/plain.ts"
import { contract, slashes, toastTitle } from "../contract.ts"
import type { Place } from "./jobs-of-2.ts"

/**
 * What the server part has to say to people, which it alone decides: opencode 1.18 shows its toasts in each terminal by
 * itself, opencode 2 leaves that to this part. In both they become notifications here, as far as they are of jobs.
 */

/** opencode's own, as this person has set it. */
export type Attention = {
  notify(notice: {
    title: string
    message: string
    notification: { when: "blurred" }
    sound: false
  }): Promise<unknown>
}

type EventsOf1 = {
  on(type: string, hear: (event: { properties: { title?: string; message?: string } }) => void): () => void
}

/** @param arrive says to the server part that the commands, which its toasts name, are there */
export function noticesOf1(
  { attention, event }: { attention: Attention; event: EventsOf1 },
  arrive: () => Promise<void>,
): void {
  event.on("tui.toast.show", ({ properties: { title, message = "" } }) => {
    if (title === toastTitle && namesCommand(message)) notify(attention, plainLines(message))
  })
  // Where there is no server part, nobody hears it.
  const say = () => void arrive().catch(() => {})
  // Its next instance has not heard it.
  event.on("server.instance.disposed", say)
  say()
}

const namesCommand = (message: string) =>
  Object.values(slashes).some((slash) => message.endsWith(`\n/${slash}`))

/** As `contract` has it; `unknown` is what another version may send. */
export type TerminalToast = { [Name in "message" | "variant" | "duration" | "session"]?: unknown }
const variants = ["info", "success", "warning", "error"]
type ToastOf2 = { title?: string; message: string; variant: string; duration?: number; sessionID?: string }
export type Toasts = { show(toast: ToastOf2): void }

export type ToastEvent = `rpc.${typeof contract.id}.toast`
type ToastAt = { data: TerminalToast; location?: Place }
type EventsOf2 = { on(type: ToastEvent, hear: (event: ToastAt) => void): () => void }

export function noticesOf2({
  data,
  ui,
  attention,
  isHere,
}: {
  data: EventsOf2
  ui: { toast: Toasts }
  attention: Attention
  isHere: (place: Place | undefined) => boolean
}): () => void {
  return data.on(
    `rpc.${contract.id}.toast`,
    ({ data: { message, variant, duration, session }, location }) => {
      if (!isHere(location)) return
      // The server part may be of another version.
      if (typeof message !== "string" || typeof variant !== "string" || !variants.includes(variant)) return
      const words = plainLines(message)
      const place = typeof session === "string" ? { sessionID: session } : {}
      const time = typeof duration === "number" ? { duration } : {}
      ui.toast.show({ title: toastTitle, message: words, variant, ...time, ...place })
      if (typeof session === "string") notify(attention, words)
    },
  )
}

/** opencode plays its sounds for children as well, and leaves their notifications to us. */
function notify(attention: Attention, message: string): void {
  void attention
    .notify({ title: toastTitle, message, notification: { when: "blurred" }, sound: false })
    .catch(() => {})
}
