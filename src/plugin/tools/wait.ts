import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { deliveryMark } from "../records/delivery-mark.ts"
import { withTexts } from "../records/texts.ts"
import { progress, resultBlock, statusLine } from "../records/words.ts"
import { readArguments, WaitArguments } from "./arguments.ts"
import { fitting } from "./output-limit.ts"
import { shownProgress } from "./progress.ts"
import { find, type Services, settled, unknownWords, withoutText } from "./services.ts"

/** Waits for jobs and hands over their full texts. Its timeout, or the user's interrupt, ends the waiting alone. */
export async function wait(services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { ids, until, timeout } = readArguments(WaitArguments, given)
  const owner = call.place.session
  const { known, unknown } = ids
    ? find(services, owner, ids)
    : { known: services.inbox.open(owner), unknown: [] }
  if (known.length === 0 && unknown.length === 0) {
    return {
      title: "nothing to wait for",
      output: "No job runs, and all results were read.",
      metadata: { jobs: [] },
    }
  }

  const timer = timeout === undefined ? undefined : AbortSignal.timeout(timeout * 1000)
  const shown = shownProgress(services.host, call.place)
  const show = (records: readonly JobRecord[]) =>
    shown.show(progress(records), { jobs: withoutText(records) })
  show(known)
  await settled(services, known, {
    until,
    signal: timer ? AbortSignal.any([call.signal, timer]) : call.signal,
    onChange: show,
  })
  await shown.settle()

  const current = known.flatMap(({ id }) => services.troupe.records.get(owner, id) ?? [])
  const running = current.filter((record) => !hasEnded(record))
  const read = await withTexts(services.host, current.filter(hasEnded))
  const ended = read.filter(({ text }) => text.kind !== "unreadable")
  const blocks = ended.map((result) => resultBlock(result, services.now()))
  const count = fitting(blocks)
  const handedOver = ended.slice(0, count).map(({ record }) => record)
  const left = ended.slice(count).map(({ record }) => record)
  const lines = [
    ...blocks.slice(0, count),
    ...(left.length > 0 ? [`No room for ${idsOf(left)}: call agents_wait again for ${them(left)}.`] : []),
    ...read.flatMap(({ record, text }) => (text.kind === "unreadable" ? unreadable(record, text.why) : [])),
    ...(running.length > 0 ? [`${reasonFor(call, timer)} Still running:`] : []),
    ...running.map((record) => statusLine(record, services.now())),
    ...unknownWords(services, owner, unknown),
  ]
  return {
    title: progress(current),
    output: lines.join("\n"),
    metadata: { jobs: withoutText(current), troupe: deliveryMark(handedOver) },
  }
}

const unreadable = ({ id, state }: JobRecord, problem: string) =>
  `${id} is ${state}, but its text could not be read now: ${problem}. Call agents_wait again for it.`

const idsOf = (records: readonly JobRecord[]) => records.map(({ id }) => id).join(", ")

const them = (records: readonly JobRecord[]) => (records.length === 1 ? "it" : "them")

function reasonFor({ signal }: ToolCall, timer: AbortSignal | undefined): string {
  if (signal.aborted) return "The waiting was interrupted."
  return timer?.aborted ? "The waiting timed out." : "Not all were waited for."
}
