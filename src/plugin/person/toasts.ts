import { createActor } from "xstate"
import { realClock } from "../../machines/clock.ts"
import type { Records } from "../../machines/ledger.ts"
import { type Ask, hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Host, Toast } from "../host/port.ts"
import { excerpt } from "../records/words.ts"
import { toastMachine } from "./toast-machine.ts"
import { linkToast, problemsToast, waitingToast } from "./toast-words.ts"

/** How long the person has to read these, milliseconds. */
const linkMs = 15_000
const problemsMs = 15_000
const waitingMs = 10_000

export type ToastsOptions = {
  host: { toast(toast: Toast): Promise<unknown> }
  records: Pick<Records, "subscribe">
  /** Told of defects of ours. */
  reportError: (error: unknown) => void
  /** Default: real time. */
  clock?: typeof realClock
}

/** Toasts to the person at the terminal, who sees one at a time: nothing here takes the place of what was not read. */
export type Toasts = {
  /** The inspector's link. */
  link(url: string): void
  /** All that is wrong in the options. */
  problems(messages: readonly string[]): void
  /** Results of earlier sessions wait to be delivered. `title`: that of the session, where it is one. */
  waiting(count: number, title?: string): void
  /** Anything else. */
  show(toast: Toast): void
  stop(): void
}

/** Shows which jobs need the person, which have ended, and what else they are to know. */
export function createToasts({ host, records, reportError, clock = realClock }: ToastsOptions): Toasts {
  const machine = toastMachine.provide({
    actions: { show: (_, toast) => toast && void host.toast(toast) },
  })
  const actor = createActor(machine, { clock })
  // Without an observer, an error would be thrown into opencode.
  actor.subscribe({ error: reportError })
  actor.start()

  const unsubscribe = records.subscribe((record, before) => {
    const asks = hasEnded(record) ? [] : (record.asks ?? [])
    const asked = before?.asks ?? []
    for (const ask of without(asked, asks)) actor.send({ type: "request.closed", id: idOf(record, ask) })
    for (const ask of without(asks, asked)) {
      actor.send({
        type: "request.opened",
        request: {
          id: idOf(record, ask),
          text: requestWords(record, ask),
          session: ask.session ?? record.session,
        },
      })
    }
    const didRun = before !== undefined && !hasEnded(before)
    const { id, state, error, session, owner } = record
    const batch = `${owner}/${record.batch ?? ""}`
    if (hasEnded(record) && didRun)
      actor.send({ type: "job.ended", batch, job: { id, state, error, session, owner } })
    if (!hasEnded(record) && !didRun) actor.send({ type: "job.started", batch })
  })

  const show = (toast: Toast) => actor.send({ type: "notice.added", toast })
  return {
    link: (url) => show(linkToast(url, linkMs)),
    problems(messages) {
      if (messages.length > 0) show(problemsToast(messages, problemsMs))
    },
    waiting: (count, title) => show(waitingToast(count, title, waitingMs)),
    show,
    stop() {
      unsubscribe()
      actor.stop()
    },
  }
}

/**
 * For an opencode where no terminal may be there to show toasts: what a person is to do something about is in the log.
 * Returns what ends it.
 */
export const logRequests = ({
  host,
  records,
}: { host: Pick<Host, "log"> } & Pick<ToastsOptions, "records">): (() => void) =>
  records.subscribe((record, before) => {
    const asks = hasEnded(record) ? [] : (record.asks ?? [])
    for (const ask of without(asks, before?.asks ?? [])) void host.log("info", requestWords(record, ask))
  })

const without = (asks: readonly Ask[], others: readonly Ask[]) =>
  asks.filter(({ id }) => others.every((other) => other.id !== id))

const idOf = ({ owner, id }: JobRecord, ask: Ask) => `${owner}/${id}/${ask.id}`

function requestWords({ id, description }: JobRecord, { kind, text }: Ask): string {
  const asks = kind === "permission" ? "asks for permission:" : "asks:"
  return excerpt(`${id} (${description}) ${asks} ${text}`)
}
