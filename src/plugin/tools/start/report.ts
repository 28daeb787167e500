import type { ToolAnswer, ToolCall } from "../../host/port.ts"
import { deliveryMark } from "../../records/delivery-mark.ts"
import { excerpt, holdLines } from "../../records/words.ts"
import { type Services, withoutText } from "../services.ts"
import { resultsOf } from "../wait.ts"
import type { Refused } from "./item.ts"
import type { Outcome } from "./jobs.ts"

/** What became of the tasks of a call, and whether that is to return with their results; `notes`: what else to say. */
export type Made = { outcomes: Outcome[]; isToWait: boolean; notes: string[] }

/** What the call answers: which jobs run now, or their results once all have ended. */
export async function answerOf(
  services: Services,
  { outcomes, isToWait, notes }: Made,
  call: ToolCall,
): Promise<ToolAnswer> {
  const known = recordsOf(services, outcomes)
  if (!isToWait || known.length === 0) return report(services, outcomes, notes)
  const refused = outcomes.filter((outcome) => "refused" in outcome)
  const said = [...reassigned(outcomes), ...notes, ...refused.map((each) => `Refused: ${withName(each)}`)]
  const answer = await resultsOf(services, { known, unknown: [], isAsked: false, said }, call)
  return { ...answer, metadata: { ...answer.metadata, refused: reasons(refused) } }
}

export const recordsOf = ({ troupe }: Services, outcomes: readonly Outcome[]) =>
  outcomes.flatMap((outcome) =>
    "id" in outcome ? (troupe.records.get(outcome.owner, outcome.id) ?? []) : [],
  )

const reasons = (refused: readonly Refused[]) =>
  refused.map(({ name, refused }) => ({ id: name, reason: refused }))

/** Which jobs have another agent than they would get by default: who named none is told. */
function reassigned(outcomes: readonly Outcome[]): string[] {
  const moved = outcomes.flatMap((outcome) => ("id" in outcome && outcome.why !== undefined ? outcome : []))
  const [first] = moved
  return first
    ? [`As ${first.why}, these run as ${first.agent}: ${moved.map(({ id }) => id).join(", ")}.`]
    : []
}

function report(services: Services, outcomes: readonly Outcome[], notes: readonly string[]): ToolAnswer {
  const refused = outcomes.filter((outcome) => "refused" in outcome)
  const records = recordsOf(services, outcomes)
  const unasked = records.filter(({ startedAt, error }) => error && startedAt === undefined)
  const started = records.filter((record) => !unasked.includes(record))
  const lines = [
    started.length > 0
      ? `Started: ${started.map(({ id }) => id).join(", ")}. Carry on; agents_wait returns their results.`
      : "",
    ...holdLines(started, services.now()),
    ...reassigned(outcomes),
    ...unasked.map(({ id, error }) => `Not started: ${id}: ${excerpt(error?.message ?? "")}`),
    ...notes,
    ...refused.map((each) => `Refused: ${withName(each)}`),
  ]
  return {
    title: `${started.length}/${outcomes.length} jobs started`,
    output: lines.filter((line) => line !== "").join("\n"),
    metadata: {
      jobs: withoutText(records),
      refused: reasons(refused),
      // The owner has read all that there is of them.
      troupe: deliveryMark(unasked),
    },
  }
}

/** Of a task without an id the problem itself says which it is: `tasks[2].prompt is missing`. */
function withName({ name, refused }: Refused): string {
  const isNamed = [`${name}.`, `${name} is `].some((start) => refused.startsWith(start))
  return isNamed ? refused : `${name}: ${refused}`
}
