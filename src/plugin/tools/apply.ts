import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { wordsOf } from "../util/error-words.ts"
import type { Refusal } from "../worktrees/apply/apply.ts"
import { ApplyArguments, readArguments } from "./arguments.ts"
import { discarder } from "./discard.ts"
import { counted, type Isolated, mostFiles } from "./isolated.ts"
import { refusalOf } from "./permission.ts"
import { find, listed, type Services, withoutText } from "./services.ts"

/**
 * Brings what jobs have done in worktrees of their own into their owner's files, or throws it away: all that is named,
 * or nothing.
 */
export function applyTool() {
  const discard = discarder()
  return async (services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> => {
    const { ids, discard: isDiscard = false } = readArguments(ApplyArguments, given)
    const { known, unknown } = find(services, call.place.session, ids)
    const records = known.filter(({ isGroup }) => !isGroup)
    const refused = [
      ...unknown.map((id) => ({ id, reason: `there is no job "${id}"; agents_status shows all` })),
      ...known.flatMap(refusedAtOnce),
    ]
    if (refused.length > 0) return refusal(records, refused, isDiscard)
    const isolated: Isolated[] = []
    for (const record of records) {
      try {
        isolated.push({ record, worktree: await services.isolation.endOf(record, call.signal) })
      } catch (error) {
        return refusal(records, [{ id: record.id, reason: wordsOf(error) }], isDiscard)
      }
    }
    return isDiscard ? discard(services, isolated, call) : bring(services, isolated, call)
  }
}

type Refused = { id: string; reason: string }

function refusedAtOnce(record: JobRecord): Refused[] {
  const { id, worktree, isGroup, session } = record
  // The jobs of a group stand for themselves.
  const isWithout = !worktree && !isGroup
  if (isWithout && session !== "")
    return [{ id, reason: "it has no worktree of its own: what it did is in the project already" }]
  if (!hasEnded(record)) return [{ id, reason: "it is still at work: wait for it or cancel it" }]
  if (isWithout) return [{ id, reason: "it never began, so it has done nothing: start it as a new job" }]
  return []
}

function refusal(records: JobRecord[], refused: readonly Refused[], isDiscard: boolean): ToolAnswer {
  const lines = refused.map(({ id, reason }) => `${id}: ${reason}.`)
  return {
    title: isDiscard ? "nothing discarded" : "nothing applied",
    output: [`Nothing was ${isDiscard ? "discarded" : "applied"}.`, ...lines].join("\n"),
    metadata: { jobs: withoutText(records), refused },
  }
}

async function bring(services: Services, isolated: readonly Isolated[], call: ToolCall): Promise<ToolAnswer> {
  const records = isolated.map(({ record }) => record)
  const { signal } = call
  const works = isolated.map(({ record: { id }, worktree: { base, commit } }) => ({ id, base, commit }))
  const prepared = await services.isolation.prepareApply(call.place.session, works, signal)
  if (prepared.type === "refused") return refusal(records, prepared.refusals.map(inWords), false)
  const { files } = prepared
  const names = listed(
    records.map(({ id }) => id),
    20,
  )
  if (files.length > 0) {
    const permission = await call.askToEdit(prepared.root, files)
    const reason = refusalOf(permission, { denied: `"${call.agent}" may not edit these files` })
    if (reason !== undefined) {
      const refused = records.map(({ id }) => ({ id, reason }))
      return refusal(records, refused, false)
    }
    await prepared.write({ signal })
  }
  const [what, ...next] =
    files.length > 0
      ? [
          `Applied ${names}: ${counted(files.length)}, not committed: ${listed(files, mostFiles)}.`,
          `Once it is as it should be, agents_apply with discard: true removes what they worked in.`,
        ]
      : [`Nothing to apply: your files have all that ${names} changed.`]
  return {
    title: files.length > 0 ? `${counted(files.length)} applied` : "nothing to apply",
    output: [what, ...next].join("\n"),
    metadata: { jobs: withoutText(records), files: files.slice(0, 200) },
  }
}

const reasons: Record<Refusal["reason"], string> = {
  conflict: "in conflict",
  dirty: "changed here and not committed",
  hidden: "changed here where git does not see it",
  inTheWay: "in the way",
  submodule: "other repositories",
}

const inWords = ({ id, reason, files, todo }: Refusal): Refused => ({
  id,
  reason: `${reasons[reason]}: ${listed(files, mostFiles)}; ${todo}`,
})
