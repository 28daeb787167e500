import { hasEnded, type JobRecord, type Worktree } from "../../machines/record.ts"
import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { recoveredWords } from "../isolation/recovered-words.ts"
import { shortcomingOf } from "../records/words.ts"
import { wordsOf } from "../util/error-words.ts"
import type { Refusal } from "../worktrees/apply/apply.ts"
import type { Recovered } from "../worktrees/apply/recover.ts"
import { wayBack } from "../worktrees/way-back.ts"
import { ApplyArguments, readArguments } from "./arguments.ts"
import { discarder } from "./discard.ts"
import { counted, type Isolated, mostFiles } from "./isolated.ts"
import { obstacleWords } from "./obstacle-words.ts"
import { refusalOf } from "./permission.ts"
import { find, listed, type Services, withoutText } from "./services.ts"

/** How many jobs are named at most. */
const mostNamed = 20

/**
 * Brings what jobs have done in worktrees of their own into their owner's files, all that is named or nothing; or throws
 * it away.
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
    const gone = await discardedBefore(services, records)
    if (gone.length > 0) return refusal(records, gone, isDiscard)
    const isolated: Isolated[] = []
    for (const record of records) {
      try {
        isolated.push({ record, worktree: await services.isolation.endOf(record, call.signal) })
      } catch (error) {
        return refusal(records, [{ id: record.id, reason: wordsOf(error) }], isDiscard)
      }
    }
    return withRecovered((onRecovered) =>
      isDiscard
        ? discard(services, isolated, call, onRecovered)
        : bring(services, isolated, call, onRecovered),
    )
  }
}

/** What an earlier call had begun and is ended now is said whatever comes of this one. */
async function withRecovered(
  act: (onRecovered: (recovered: Recovered) => void) => Promise<ToolAnswer>,
): Promise<ToolAnswer> {
  const found: string[] = []
  const said = (words: string) => [...found.map((each) => `Before this, ${each}.`), words].join("\n")
  try {
    const answer = await act((recovered) => {
      const words = recoveredWords(recovered)
      if (words !== undefined) found.push(words)
    })
    return { ...answer, output: said(answer.output) }
  } catch (error) {
    throw found.length > 0 ? new Error(said(wordsOf(error))) : error
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

async function discardedBefore({ isolation }: Services, records: readonly JobRecord[]): Promise<Refused[]> {
  const fates = await Promise.all(records.map((record) => isolation.fateOf(record)))
  const gone = records.filter((_, index) => fates[index] === "removed")
  return gone.map(({ id, worktree }) => ({
    id,
    reason: `it was discarded already${worktree ? backFrom(worktree) : ""}`,
  }))
}

function backFrom({ branch, commit, files }: Worktree): string {
  if (files === 0) return ", and had changed nothing"
  return commit === undefined ? "" : `: ${wayBack(branch, commit)}`
}

function refusal(records: JobRecord[], refused: readonly Refused[], isDiscard: boolean): ToolAnswer {
  const lines = refused.map(({ id, reason }) => `${id}: ${reason}.`)
  return {
    title: isDiscard ? "nothing discarded" : "nothing applied",
    output: [`Nothing was ${isDiscard ? "discarded" : "applied"}.`, ...lines].join("\n"),
    metadata: { jobs: withoutText(records), refused },
  }
}

async function bring(
  services: Services,
  isolated: readonly Isolated[],
  call: ToolCall,
  onRecovered: (recovered: Recovered) => void,
): Promise<ToolAnswer> {
  const records = isolated.map(({ record }) => record)
  const { signal } = call
  const works = isolated.map(({ record: { id }, worktree: { base, commit } }) => ({ id, base, commit }))
  const prepared = await services.isolation.prepareApply(call.place.session, works, { signal, onRecovered })
  if (prepared.type === "refused") {
    const refused = prepared.refusals.map((each) => ({ id: each.id, reason: obstacleIn(isolated, each) }))
    return refusal(records, refused, false)
  }
  const { files, changes } = prepared
  const metadata = { jobs: withoutText(records), files: files.slice(0, 200) }
  const idle = isolated.filter(({ worktree }) => worktree.files === 0)
  const changing = isolated.filter((each) => !idle.includes(each))
  const besides = [
    ...(idle.length > 0 ? [`${idsOf(idle)} changed nothing.`] : []),
    ...(await leftOut(services, isolated)),
  ]
  if (files.length === 0) {
    const there = changing.length > 0 ? [`your files have all that ${idsOf(changing)} changed.`] : []
    const [first = "none of these jobs has a worktree.", ...others] = [...there, ...besides]
    return {
      title: "nothing to apply",
      output: [`Nothing to apply: ${first}`, ...others].join("\n"),
      metadata,
    }
  }
  const permission = await call.askToEdit(prepared.root, files)
  const reason = refusalOf(permission, { denied: `"${call.agent}" may not edit these files` })
  if (reason !== undefined) {
    const refused = records.map(({ id }) => ({ id, reason }))
    return refusal(records, refused, false)
  }
  await prepared.write({ signal })
  const lines = [
    `Applied ${idsOf(changing)}: ${counted(changes.length)}, not committed: ${listed(changes, mostFiles)}.`,
    ...besides,
    ...notDone(changing),
    "When you are satisfied, agents_apply with discard: true removes the worktree of each.",
  ]
  return { title: `${counted(changes.length)} applied`, output: lines.join("\n"), metadata }
}

/** Repositories that children have made: what they hold is in no commit. */
async function leftOut({ isolation }: Services, isolated: readonly Isolated[]): Promise<string[]> {
  const found: string[] = []
  for (const { record, worktree } of isolated) {
    // What cannot be looked at now keeps nothing else from being applied.
    const removal = await isolation.prepareDiscard(record, worktree).catch(() => undefined)
    found.push(...(removal?.loss.repositories ?? []).map((name) => `${name} of ${record.id}`))
  }
  return found.length > 0
    ? [`Left in their worktrees, as they are repositories of their own: ${listed(found, mostFiles)}.`]
    : []
}

function obstacleIn(isolated: readonly Isolated[], refusal: Refusal): string {
  const own = isolated.find(({ record }) => record.id === refusal.id)
  return obstacleWords(refusal, own?.worktree.branch ?? "its branch")
}

/** What was applied though nobody has said that it is good. */
function notDone(isolated: readonly Isolated[]): string[] {
  const jobs = isolated.flatMap(({ record }) => {
    const shortcoming = shortcomingOf(record)
    return shortcoming === undefined ? [] : [`${record.id} (${shortcoming})`]
  })
  return jobs.length > 0 ? [`Not done: ${listed(jobs, mostNamed)}.`] : []
}

const idsOf = (isolated: readonly Isolated[]) =>
  listed(
    isolated.map(({ record }) => record.id),
    mostNamed,
  )
