import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { deliveryMark } from "../records/delivery-mark.ts"
import { type JobWithText, withTexts } from "../records/texts.ts"
import { shortenedBlocks } from "../records/words.ts"
import { within } from "../util/within.ts"
import { CancelArguments, readArguments } from "./arguments.ts"
import {
  elsewhereWords,
  type Found,
  find,
  foundAnew,
  idsOf,
  lineOf,
  type Services,
  settled,
  unknownTitle,
  unknownWords,
  withoutText,
} from "./services.ts"

/** Longest wait for texts that opencode did not tell as the children were stopped. Milliseconds. */
const textTimeout = 1_000

/** Ends jobs and whatever they started; harmless on ended ones. */
export async function cancel(services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { ids, all = false, reason } = readArguments(CancelArguments, given)
  if (!ids && !all)
    throw new Error("Name the jobs to cancel in ids, or pass all: true. Nothing was cancelled.")
  const { host, troupe, now } = services
  const owner = call.place.session
  const stop = (jobs: readonly JobRecord[]) =>
    troupe.cancel([...jobs], `cancelled by its owner${reason ? `: ${reason}` : ""}`)
  const { known, unknown } = await stopAll(services, call, all ? undefined : ids, stop)
  await settled(services, known, { test: hasEnded })

  const current = (records: readonly JobRecord[]) =>
    records.flatMap(({ id }) => troupe.records.get(owner, id) ?? [])
  const stopped = current(known.filter((record) => !hasEnded(record)))
  const unchanged = current(known.filter(hasEnded))
  const texts = await within(textTimeout, withTexts(host, stopped), () => stopped.map(unread))
  const blocks = shortenedBlocks(texts, now())
  const shown = texts.flatMap(({ record }, index) => (blocks[index]?.isWhole ? record : []))
  const left = texts.flatMap(({ record, text }, index) =>
    blocks[index]?.isWhole || text.kind === "unreadable" ? [] : record,
  )
  services.inbox.showedBeginnings(left)
  const isNone = known.length === 0
  const elsewhere = elsewhereWords(services, owner)
  const lines = [
    ...(isNone && unknown.length === 0 && elsewhere.length === 0 ? ["No jobs are running."] : []),
    ...blocks.map(({ words }) => words),
    ...(left.length > 0 ? [`Not shown whole: ${idsOf(left)}. The next agents_wait has all of it.`] : []),
    ...(unchanged.length > 0 ? ["Already ended:"] : []),
    ...unchanged.map((record) => lineOf(services, record)),
    ...unknownWords(services, owner, unknown),
    ...elsewhere,
  ]
  return {
    title: titleOf(stopped, unchanged, unknown),
    output: lines.join("\n"),
    metadata: { jobs: withoutText(current(known)), troupe: deliveryMark(shown) },
  }
}

/** What runs is stopped at once; what a start of the same message is about to make, as soon as it is there. */
async function stopAll(
  services: Services,
  { place, signal }: ToolCall,
  ids: readonly string[] | undefined,
  stop: (jobs: readonly JobRecord[]) => void,
): Promise<Found> {
  const { troupe, starts } = services
  const { session: owner } = place
  const running = () => troupe.records.of(owner).filter((record) => !hasEnded(record))
  const look = (): Found => (ids ? find(services, owner, ids) : { known: running(), unknown: [] })
  const first = look()
  stop(first.known)
  // What was said before the cancel may yet begin a new run.
  await starts.sent(owner, signal, ids)
  if (!ids && first.known.length > 0) await starts.over(owner, signal, "jobs")
  else if (!ids || first.unknown.length > 0) await starts.announcedAndOver(owner, signal, "jobs")
  const second = await foundAnew(services, owner, look)
  const isNew = (record: JobRecord) =>
    first.known.every(({ id, run }) => id !== record.id || run !== record.run)
  const begun = second.known.filter((record) => !hasEnded(record) && isNew(record))
  stop(begun)
  const stopped = first.known.filter((record) => !hasEnded(record))
  const asStopped = (record: JobRecord) => stopped.find(({ id }) => id === record.id) ?? record
  const known = ids ? second.known.map(asStopped) : [...stopped, ...begun]
  return { known, unknown: second.unknown }
}

const unread = (record: JobRecord): JobWithText => ({
  record,
  text: { kind: "unreadable", why: `call agents_wait with ids ["${record.id}"]` },
})

function titleOf(stopped: JobRecord[], unchanged: JobRecord[], unknown: string[]): string {
  const cancelled = stopped.filter(({ state }) => state === "cancelled").length
  const ended = stopped.length - cancelled + unchanged.length
  const counts = [
    ...(cancelled > 0 ? [`${cancelled} cancelled`] : []),
    ...(ended > 0 ? [`${ended} already ended`] : []),
  ]
  if (counts.length > 0) return counts.join(", ")
  return unknown.length > 0 ? unknownTitle(unknown) : "no jobs running"
}
