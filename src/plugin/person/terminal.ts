import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Live, Standing, TerminalService } from "../../terminal/contract.ts"
import { glanceAt, isHeld } from "../../terminal/glance.ts"
import type { Overview, ShownJob, Spending } from "../../terminal/jobs.ts"
import { withWaits } from "../../terminal/waiting.ts"
import { beginning } from "../../util/plain.ts"
import type { Messenger } from "../children/messenger.ts"
import type { Turns } from "../children/turns.ts"
import type { Host, Toast } from "../host/port.ts"
import type { Budgets } from "../owners/budgets.ts"
import { StoredJob } from "../records/stored-job.ts"
import { textOf } from "../records/texts.ts"
import { throttle } from "../util/throttle.ts"

export type TerminalOptions = {
  host: Host
  troupe: Troupe
  messenger: Messenger
  turns: Pick<Turns, "draftOf">
  budgets: Pick<Budgets, "of">
  /** @throws Error that says why there is no inspector */
  link: () => Promise<string>
}

/** A terminal draws no more often. Milliseconds. */
const interval = 250

export type ServedTerminal = {
  /** Shows it in each terminal that has the part, and nowhere else. */
  toast(toast: Toast): Promise<void>
  end(): Promise<void>
}

/** Serves the jobs to the part in opencode's terminal, where opencode has a channel between the two. */
export function serveTerminal({
  host,
  troupe,
  messenger,
  turns,
  budgets,
  link,
}: TerminalOptions): ServedTerminal {
  const { records } = troupe
  const jobOf = (session: string): JobRecord => {
    const record = records.bySession(session)
    if (!record) throw new Error("This job is no longer there, or another opencode runs it.")
    return record
  }

  const overviewOf = (of: readonly JobRecord[]): Overview => ({
    jobs: withWaits(of, Date.now()),
    budgets: budgetsOf(of, budgets),
  })
  const standingOf = (owner: string): Standing => {
    const of = records.of(owner)
    const now = Date.now()
    const held = of.filter((job) => isHeld(job, now))
    return {
      owner,
      budgets: budgetsOf(of, budgets).slice(0, mostBudgets),
      holds: Object.fromEntries(held.map(({ session, holdUntil }) => [session, holdUntil])),
      live: Object.fromEntries(of.flatMap(liveOf)),
    }
  }

  const service: TerminalService = {
    list({ owner }) {
      const { jobs, budgets } = overviewOf(owner === undefined ? [...records.all()] : records.of(owner))
      return { jobs: jobs.map(shown), budgets }
    },
    glance({ owner, most }) {
      const { counts, jobs, budgets } = glanceAt(overviewOf(records.of(owner)), most, Date.now())
      return { counts, jobs: jobs.map(shown), budgets }
    },
    standings: ({ owner }) =>
      (owner === undefined ? [...new Set([...records.all()].map((record) => record.owner))] : [owner]).map(
        standingOf,
      ),
    async read({ session }) {
      const record = jobOf(session)
      const found = await host.session(session)
      const prompt = (found.ok && StoredJob.safeParse(found.value.stored).data?.prompt) || ""
      if (!hasEnded(record)) return { prompt, text: turns.draftOf(session) }
      const read = await textOf(host, record)
      switch (read.kind) {
        case "text":
          return { prompt, text: read.text }
        case "nothing":
          return { prompt, text: "" }
        default:
          throw new Error(`What ${record.id} has written could not be read: ${read.why}`)
      }
    },
    inspect: async () => ({ link: await link() }),
    cancel({ session }) {
      const record = jobOf(session)
      if (hasEnded(record)) throw new Error(`${record.id} has already ended.`)
      troupe.cancel([record], "cancelled in the terminal")
    },
    async send({ session, message }) {
      await messenger.send(jobOf(session), message)
    },
  }

  const serving = host.serveTerminal?.(service)
  const changed = new Set<string>()
  const tell = throttle(interval, async () => {
    const channel = await serving
    if (channel?.ok) for (const owner of changed) channel.value.changed(owner)
    changed.clear()
  })
  const note = ({ owner }: JobRecord) => {
    changed.add(owner)
    tell.call(undefined)
  }
  const subscriptions = serving ? [records.subscribe(note), records.onForgotten(note)] : []
  void serving?.then((served) => {
    if (!served.ok) void host.log("warn", `the terminal shows no jobs: ${served.error.message}`)
  })

  return {
    async toast(toast) {
      const channel = await serving
      if (channel?.ok) channel.value.toast(toast)
    },
    async end() {
      for (const unsubscribe of subscriptions) unsubscribe()
      tell.cancel()
      const channel = await serving
      if (channel?.ok) await channel.value.end()
    },
  }
}

/** Of one owner, of which a terminal of 1.18 is told with each change. */
const mostBudgets = 20

/** Each that these jobs count towards, those of the latest batches first. */
function budgetsOf(jobs: readonly JobRecord[], budgets: Pick<Budgets, "of">): Spending[] {
  const oneOfEach = new Map(jobs.map((job) => [`${job.owner} ${job.batch}`, job]))
  const found = [...oneOfEach.values()].toReversed().flatMap((job) => budgets.of(job))
  return [...new Map(found.map((each) => [`${each.of} ${each.name}`, each])).values()]
}

/** Characters of a foreign text: a terminal shows lines, and gets all jobs of an owner with each change. */
const longest = 200

function shown({
  text: _,
  structured: __,
  ...record
}: ShownJob & Pick<JobRecord, "text" | "structured">): ShownJob {
  const { description, activity, error, attempts, worktree, check, asks, retry } = record
  return {
    ...record,
    description: beginning(description, longest),
    ...(activity?.text !== undefined && { activity: { ...activity, text: activity.text.slice(-longest) } }),
    ...(error && { error: { ...error, message: beginning(error.message, longest) } }),
    ...(attempts && {
      attempts: attempts.map(({ model, error: { kind, message } }) => ({
        ...(model !== undefined && { model }),
        error: { kind, message: beginning(message, longest) },
      })),
    }),
    ...(worktree && { worktree: withoutOverlaps(worktree) }),
    ...(check && { check: { ...check, command: beginning(check.command, longest), output: "" } }),
    ...(asks && { asks: asks.map((ask) => ({ ...ask, text: beginning(ask.text, longest) })) }),
    ...(retry && { retry: { ...retry, reason: beginning(retry.reason, longest) } }),
  }
}

/** What opencode 1.18 does not tell its terminal, or told it before it was there. */
function liveOf({ session, phase, worktree, asks, check }: JobRecord): [string, Live][] {
  if (session === "" || phase === undefined || (!worktree && phase !== "checking")) return []
  const live: Live = {
    phase,
    ...(worktree && { directory: worktree.directory }),
    ...(worktree && asks && { asks: asks.map(({ id }) => id) }),
    ...(phase === "checking" && check && { rounds: check.rounds }),
  }
  return [[session, live]]
}

/** They may be names of very many files. */
function withoutOverlaps({ overlaps: _, ...worktree }: NonNullable<JobRecord["worktree"]>) {
  return worktree
}
