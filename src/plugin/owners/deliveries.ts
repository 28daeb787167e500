import { createActor, fromPromise, type StateValue } from "xstate"
import { realClock } from "../../machines/clock.ts"
import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import {
  type Host,
  type HostEvent,
  type HostMessage,
  isGone,
  type OwnerMessage,
  type Result,
  type UserMessage,
} from "../host/port.ts"
import { promptID } from "../host/prompt-ids.ts"
import type { Options } from "../options.ts"
import { deliveredRuns, deliveryMark, isIn, runsIn } from "../records/delivery-mark.ts"
import { type JobWithText, withTexts } from "../records/texts.ts"
import { wordsOf } from "../util/error-words.ts"
import { shared } from "../util/process-wide.ts"
import { wholeMs } from "../util/whole-ms.ts"
import {
  type Composed,
  type Delivered,
  type Delivery,
  type DeliveryEvent,
  type DeliveryInput,
  deliveryMachine,
} from "./delivery-machine.ts"
import { type Gathering, gathering } from "./gathering.ts"
import type { Inbox } from "./inbox.ts"
import { notification } from "./notification.ts"

export type DeliveriesOptions = {
  host: Host
  troupe: Pick<Troupe, "records">
  inbox: Inbox
  /** What owners are told of these results beside them. Default: nothing. */
  notesOn?: (records: readonly JobRecord[]) => readonly string[]
  notify: Options["notify"]
  notifySeconds: Options["notifySeconds"]
  now: () => number
  /** Told of defects. */
  reportError: (error: unknown) => void
}

/** Has owners told of results that they have not fetched themselves: one actor for each owner with any. */
export class Deliveries {
  readonly #options: DeliveriesOptions
  readonly #byOwner = new Map<string, Delivery>()
  readonly #subscriptions: (() => void)[] = []
  /** Children whose jobs come from an instance of the plugin that this one has replaced, until their records come. */
  readonly #takenOver = new Set<string>()
  #isOn: boolean

  constructor(options: DeliveriesOptions) {
    this.#options = options
    const { notify, troupe, inbox } = options
    this.#isOn = notify !== "never"
    if (!this.#isOn) return
    this.#subscriptions.push(
      troupe.records.subscribe((record, before) => this.#hearOfJob(record, before)),
      troupe.records.onForgotten(({ owner }) => {
        stopped.delete(owner)
        this.#end(owner)
      }),
      inbox.subscribe((owner) => {
        if (inbox.due(owner).length === 0) this.#byOwner.get(owner)?.send({ type: "inbox.emptied" })
      }),
    )
  }

  /** The job of this child goes on, or has ended, as if this process had had one instance of the plugin all along. */
  takeOver(session: string): void {
    if (this.#isOn) this.#takenOver.add(session)
  }

  /** What happens to owners, which opencode tells of all sessions. */
  hear({ type, session }: HostEvent): void {
    if (!this.#isOn) return
    const delivery = this.#byOwner.get(session)
    if (type === "session.busy") stopped.delete(session)
    if (type === "session.busy" || type === "session.retrying") delivery?.send({ type: "owner.busy" })
    if (type === "session.interrupted") this.#interrupted(session)
    if (type !== "session.idle") return
    if (delivery) delivery.send({ type: "owner.idle" })
    else if (this.#hasReader(session) && this.#options.inbox.due(session).length > 0)
      this.#begin({ owner: session, from: "this process" })
  }

  /** The deliveries under way, for those who look. */
  *actors(): Iterable<{ owner: string; state: string }> {
    for (const [owner, delivery] of this.#byOwner)
      yield { owner, state: pathOf(delivery.getSnapshot().value).join(".") }
  }

  stop(): void {
    this.#isOn = false
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe()
    for (const owner of [...this.#byOwner.keys()]) this.#end(owner)
  }

  /** What its jobs still bring must not start it again. */
  #interrupted(owner: string): void {
    const delivery = this.#byOwner.get(owner)
    // The turn of a message may be missing although the conversation holds it.
    delivery?.send({ type: "owner.interrupted" })
    if (this.#options.inbox.open(owner).length === 0 || !this.#hasReader(owner)) return
    stopped.add(owner)
    if (!delivery) this.#begin({ owner, from: "an interrupted turn" })
  }

  #hearOfJob(record: JobRecord, before: JobRecord | undefined): void {
    const { owner, id, session } = record
    const isTakenOver = this.#takenOver.delete(session)
    // After a restart, what a job's child had started may be found before the job itself.
    this.#end(session)
    if (!this.#hasReader(owner)) return
    if (before) {
      if (hasEnded(record) && !hasEnded(before))
        this.#tell({ owner, from: "this process" }, { type: "job.ended", job: id })
      return
    }
    // A new job gets its session later: one that has it from the beginning is of an earlier process.
    if (session === "") return
    if (isTakenOver) {
      if (stopped.has(owner)) {
        if (!this.#byOwner.has(owner)) this.#begin({ owner, from: "an interrupted turn" })
      } else if (hasEnded(record) && !this.#options.inbox.isDelivered(record))
        this.#tell({ owner, from: "this process" }, { type: "job.adopted" })
      return
    }
    if (!hasEnded(record)) this.#tell({ owner, from: "an earlier process" }, { type: "job.resumed", job: id })
    else if (!this.#options.inbox.isDelivered(record))
      this.#tell({ owner, from: "an earlier process" }, { type: "job.adopted" })
  }

  /** A job's child whose turn is over has given its answer: its own jobs have nobody left to tell. */
  #hasReader(owner: string): boolean {
    return this.#options.troupe.records.bySession(owner) === undefined
  }

  #tell(input: DeliveryInput, event: DeliveryEvent): void {
    const delivery = this.#byOwner.get(input.owner) ?? this.#begin(input)
    delivery.send(event)
  }

  #begin(input: DeliveryInput): Delivery {
    const { owner } = input
    const delivery = createActor(this.#machine, { input, clock: realClock })
    const forget = () => {
      if (this.#byOwner.get(owner) === delivery) this.#byOwner.delete(owner)
    }
    delivery.subscribe({
      complete: forget,
      error: (error) => {
        forget()
        this.#options.reportError(error)
      },
    })
    this.#byOwner.set(owner, delivery)
    return delivery.start()
  }

  #end(owner: string): void {
    this.#byOwner.get(owner)?.stop()
    this.#byOwner.delete(owner)
  }

  readonly #machine = deliveryMachine.provide({
    actors: {
      compose: fromPromise(({ input, signal }) =>
        this.#logged(signal, () => this.#compose(input.owner, signal)),
      ),
      deliver: fromPromise(({ input, signal }) => this.#logged(signal, () => this.#deliver(input))),
    },
  })

  async #compose(owner: string, signal: AbortSignal): Promise<Composed> {
    const { host, inbox } = this.#options
    const isUnderWay = () => {
      signal.throwIfAborted()
      return inbox.due(owner).length > 0
    }
    if (!isUnderWay()) return { outcome: "nothing" }
    const { waitMs } = this.#gathering(owner)
    if (waitMs > 0) return { outcome: "early", waitMs }
    const [session, isBusy] = await Promise.all([host.session(owner), host.isBusy(owner)])
    if (isGone(session)) return { outcome: "gone" }
    // A message would make final what the user has undone: it waits until they go on.
    if (answered(isBusy) || answered(session).isReverted) return { outcome: "busy" }
    const [messages, begun] = await Promise.all([host.messages(owner), host.begunDeliveries(owner)])
    if (isGone(messages)) return { outcome: "gone" }
    const begunDeliveries = answered(begun)
    signal.throwIfAborted()
    // An attempt that seemed to fail, or an earlier process, may have delivered already.
    inbox.markDelivered(owner, deliveredRuns(answered(messages)))
    const asked = answered(messages).findLast((message) => message.role === "user")
    if (!isUnderWay() || !asked) return { outcome: "nothing" }
    const read = await withTexts(host, inbox.undelivered(owner))
    if (answered(await host.isBusy(owner))) return { outcome: "busy" }
    signal.throwIfAborted()

    // From here to the delivery nothing waits: it may have fetched some itself meanwhile.
    const undelivered = inbox.undelivered(owner)
    const open = read.filter(({ record: { id, run } }) =>
      undelivered.some((each) => each.id === id && each.run === run),
    )
    // What was delivered under an id may be there already: under that id it is there once.
    const begunBefore = begunDeliveries.find(({ mark }) =>
      open.some(({ record }) => isIn(runsIn(mark), record)),
    )
    const { waits } = this.#gathering(owner)
    const current = open.filter(({ record }) =>
      begunBefore ? isIn(runsIn(begunBefore.mark), record) : !waits(record),
    )
    const results = readable(current)
    if (results.length === 0) return { outcome: "nothing" }
    const message = this.#messageOf(owner, { results, asked, messageID: begunBefore?.messageID })
    return { outcome: "composed", message, hasMore: results.length < undelivered.length }
  }

  #gathering(owner: string): Gathering {
    const { troupe, inbox, notify, notifySeconds, now } = this.#options
    const longestMs = notify === "batch" ? wholeMs(notifySeconds) : 0
    return gathering(inbox.due(owner), troupe.records.of(owner), now(), longestMs)
  }

  /**
   * Finishes what an earlier process had begun to deliver to this owner: opencode may hold it where its conversation
   * does not show it yet. Starts no turn.
   * @param messages the owner's conversation
   * @throws Error where opencode fails
   */
  async finishBegun(owner: string, messages: readonly HostMessage[]): Promise<void> {
    const { host, inbox } = this.#options
    const asked = messages.findLast((message) => message.role === "user")
    if (!asked) return
    for (const { messageID, mark } of answered(await host.begunDeliveries(owner))) {
      const begun = inbox.undelivered(owner).filter((record) => isIn(runsIn(mark), record))
      const results = readable(await withTexts(host, begun))
      if (results.length === 0) continue
      const message = this.#messageOf(owner, { results, asked, messageID })
      const { mark: held } = answered(await host.deliver(message, { isWanted: () => false }))
      inbox.markDelivered(owner, runsIn(held))
    }
  }

  #messageOf(owner: string, { results, asked, messageID }: Contents): OwnerMessage {
    const { now, notesOn = () => [] } = this.#options
    const notes = notesOn(results.map(({ record }) => record))
    return {
      session: owner,
      messageID: messageID ?? promptID(owner, now()),
      text: notification(results, notes, now()),
      mark: deliveryMark(results.map(({ record }) => record)),
      // Those of its last message: a prompt without them could switch the owner's mode or model.
      agent: asked.agent,
      model: asked.model,
      variant: asked.variant,
    }
  }

  async #deliver(message: OwnerMessage): Promise<Delivered> {
    const { host, inbox } = this.#options
    const isStill = (...states: readonly Idle[]) => {
      const delivery = this.#byOwner.get(message.session)?.getSnapshot()
      return states.some((delivering) => delivery?.matches({ delivering }))
    }
    const session = await host.session(message.session)
    if (isGone(session)) return { outcome: "gone" }
    // As when it was composed: that may be a while ago, where opencode failed. A turn may have fetched results itself.
    if (answered(session).isReverted || !isStill("undisturbed")) return { outcome: "busy" }
    const delivered = await host.deliver(message, { isWanted: () => isStill("undisturbed", "idleAgain") })
    if (isGone(delivered)) return { outcome: "gone" }
    inbox.markDelivered(message.session, runsIn(answered(delivered).mark))
    return { outcome: "delivered" }
  }

  /** Its failure is told to the log, unless nobody waits for the outcome any more. */
  async #logged<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      if (!signal.aborted)
        void this.#options.host.log(
          "warn",
          `results could not be delivered to their owner: ${wordsOf(error)}`,
        )
      throw error
    }
  }
}

/** The owners whose user has stopped their turn and not begun another: the next instance of the plugin knows them, too. */
const stopped = shared("stopped owners", () => new Set<string>())

type Contents = {
  results: readonly JobWithText[]
  /** The owner's last message. */
  asked: UserMessage
  /** Default: a new one. */
  messageID: string | undefined
}

/** @throws Error where opencode could not be asked for any of them now */
function readable(results: readonly JobWithText[]): JobWithText[] {
  const found = results.filter(({ text }) => text.kind !== "unreadable")
  const [unreadable] = results.flatMap(({ text }) => (text.kind === "unreadable" ? text.why : []))
  if (found.length === 0 && unreadable !== undefined) throw new Error(unreadable)
  return found
}

function answered<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(result.error.message)
}

/** The states of a delivery in which no turn of its owner is under way, nor has just been stopped. */
type Idle = "undisturbed" | "idleAgain"

function pathOf(value: StateValue): string[] {
  if (typeof value === "string") return [value]
  return Object.entries(value).flatMap(([name, inner = {}]) => [name, ...pathOf(inner)])
}
