import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Host, HostError, NewPrompt } from "../host/port.ts"
import { promptIds } from "../host/prompt-ids.ts"
import type { Options } from "../options.ts"
import { deliveredRuns, deliveryMark } from "../records/delivery-mark.ts"
import { withTexts } from "../records/texts.ts"
import { resultBlock } from "../records/words.ts"
import type { Inbox } from "./inbox.ts"

/** Jobs that end within it are told together. Milliseconds. */
const windowMs = 250
/** First pause before a delivery is tried again; it doubles up to the last. Milliseconds. */
const firstPauseMs = 1_000
const lastPauseMs = 60_000
/** Characters of each job's text in a notification, and of all. */
const textLimit = 2_000
const allLimit = 12_000

export type NotifierOptions = {
  host: Host
  troupe: Troupe
  inbox: Inbox
  notify: Options["notify"]
  now: () => number
}

export type Notifier = {
  /** An owner's turn began or ended. */
  turn(owner: string, isBusy: boolean): void
  /** Has ended jobs of this owner told, if it has not read them and when it is idle. */
  check(owner: string): void
  stop(): void
}

/**
 * Tells owners of ended jobs: each run once, all that ended meanwhile in one message, and only while the owner is
 * idle, so that nothing interrupts its work.
 */
export function createNotifier({ host, troupe, inbox, notify, now }: NotifierOptions): Notifier {
  const busy = new Set<string>()
  const timers = new Map<string, NodeJS.Timeout>()
  const delivering = new Set<string>()
  /** Owners whose time to be told came while they were being told. */
  const missed = new Set<string>()
  /** Messages that may be stored already, whose turns have yet to be started. */
  const unstarted = new Map<string, NewPrompt & { messageID: string }>()
  let isStopped = false

  const unsubscribe = troupe.records.subscribe((record, before) => {
    if (hasEnded(record) && before && !hasEnded(before)) check(record.owner)
  })

  function check(owner: string, pauseMs = windowMs): void {
    if (isStopped || timers.has(owner)) return
    const timer = setTimeout(() => {
      timers.delete(owner)
      void attempt(owner, pauseMs)
    }, pauseMs)
    timer.unref()
    timers.set(owner, timer)
  }

  async function attempt(owner: string, pauseMs: number): Promise<void> {
    if (notify === "never") return
    if (delivering.has(owner)) {
      missed.add(owner)
      return
    }
    delivering.add(owner)
    const hasFailed = await deliver(owner).finally(() => delivering.delete(owner))
    const isMissed = missed.delete(owner)
    if (hasFailed) check(owner, Math.min(lastPauseMs, Math.max(firstPauseMs, pauseMs * 2)))
    else if (isMissed) check(owner)
  }

  /** Returns whether it is to be tried again. */
  async function deliver(owner: string): Promise<boolean> {
    // A job's child whose turn is over has given its answer: its own jobs have nobody left to tell.
    if (!hasNews(owner) || troupe.records.bySession(owner)) return false
    // The end of its turn brings us here again.
    if (busy.has(owner)) return false
    const messages = await host.messages(owner)
    if (!messages.ok) return afterFailure(messages.error)
    // An attempt that seemed to fail, or an earlier process, may have told already.
    inbox.markDelivered(owner, deliveredRuns(messages.value))
    const asked = messages.value.findLast((message) => message.role === "user")
    const read = await withTexts(host, inbox.unread(owner))
    const working = await host.isBusy(owner)
    if (!working.ok) return afterFailure(working.error)

    // From here to the post nothing waits: its turn may have begun meanwhile, and it may have read some itself.
    if (isStopped || busy.has(owner) || working.value) return false
    const left = unstarted.get(owner)
    if (left && messages.value.some(({ id }) => id === left.messageID)) {
      // What it does not tell has its own time to be told.
      missed.add(owner)
      return startTurn(left)
    }
    if (!asked) return false
    const unread = inbox.unread(owner)
    const ready = read.filter(({ record: { id, run } }) =>
      unread.some((each) => each.id === id && each.run === run),
    )
    const records = ready.filter(({ problem }) => problem === undefined).map(({ record }) => record)
    if (records.length === 0) {
      const [problem] = ready.map((each) => each.problem)
      return problem !== undefined && afterFailure({ message: problem })
    }
    const message = {
      session: owner,
      ...promptIds(owner, now()),
      text: notification(records, now()),
      isHidden: true,
      mark: deliveryMark(records),
      // Those of its last message: a prompt without them could switch the owner's mode or model.
      agent: asked.agent,
      model: asked.model,
      variant: asked.variant,
    }
    // What starts a turn is answered before it is stored: a crash just then would lose it. So it is stored first.
    unstarted.set(owner, message)
    const posted = await host.post(message)
    if (!posted.ok) return afterFailure(posted.error)
    inbox.markRead(records)
    return startTurn(message)
  }

  async function startTurn(message: NewPrompt): Promise<boolean> {
    const started = await host.send(message)
    if (!started.ok && afterFailure(started.error)) return true
    unstarted.delete(message.session)
    // Stryker disable next-line BooleanLiteral: another look finds nothing to tell, and asks opencode nothing
    return false
  }

  const hasNews = (owner: string) => unstarted.has(owner) || inbox.unread(owner).length > 0

  function afterFailure({ message, status }: HostError): boolean {
    void host.log("warn", `an owner could not be told of its jobs: ${message}`)
    // Not for an owner that is gone.
    return status !== 404
  }

  return {
    turn(owner, isBusy) {
      if (isBusy) {
        busy.add(owner)
        // Whoever started this turn, it reads what is stored.
        unstarted.delete(owner)
        return
      }
      busy.delete(owner)
      if (hasNews(owner)) check(owner)
    },
    check,
    stop() {
      isStopped = true
      unsubscribe()
      for (const timer of timers.values()) clearTimeout(timer)
    },
  }
}

function notification(records: readonly JobRecord[], now: number): string {
  const each = Math.min(textLimit, Math.floor(allLimit / records.length))
  const blocks = records.map((record) => resultBlock(shortened(record, each), now))
  const words =
    records.length === 1 ? "A job of yours has ended" : `${records.length} jobs of yours have ended`
  return [`${words} (told by opencode-troupe, not by the user):`, ...blocks].join("\n")
}

function shortened(record: JobRecord, limit: number): JobRecord {
  const { text, id } = record
  if (text === undefined || text.length <= limit) return record
  const rest = `[${text.length - limit} more characters: agents_wait with ids ["${id}"]]`
  return { ...record, text: `${text.slice(0, limit)}\n${rest}` }
}
