import type {
  Answer,
  ChildInput,
  Effects,
  LeaveChildOutput,
  LeaveInput,
  Opened,
  StopChildOutput,
} from "../../machines/effects.ts"
import type { JobInput } from "../../machines/events.ts"
import type { Records } from "../../machines/ledger.ts"
import { hasEnded, type JobError, type Usage, type Worktree } from "../../machines/record.ts"
import { textSince } from "../host/answers.ts"
import type { Host, HostSession, Offer, PermissionRule, Result, Toast } from "../host/port.ts"
import { promptID } from "../host/prompt-ids.ts"
import type { Isolation } from "../isolation/isolation.ts"
import type { JobStore } from "../records/store.ts"
import { backoff } from "../util/backoff.ts"
import { wordsOf } from "../util/error-words.ts"
import { within } from "../util/within.ts"
import { failure } from "./failure.ts"
import { type HandOverOptions, withResults } from "./handed-over.ts"
import { keepResult as keepInFile } from "./kept-results.ts"
import { changingTools, promptForNext } from "./leaving.ts"
import { rulesElsewhere } from "./permissions.ts"
import type { Turns } from "./turns.ts"

/** Longest waits while a child is stopped: together less than its job waits for that. Milliseconds. */
const abortTimeout = 2_000
const textTimeout = 2_000
/** Longest wait for what a child has used, which its events have told too. Milliseconds. */
const usageTimeout = 1_500
/** Pauses before what opencode did not do is tried again, and how often an abort is tried: for a minute. */
const pauses = { firstMs: 250, lastMs: 32_000 }
const mostAttempts = 9

export type EffectsOptions = {
  /** Keeps what is too long to be handed over. Default: in a file where opencode keeps its own long outputs. */
  keepResult?: HandOverOptions["keep"]
  host: Host
  turns: Turns
  store: Pick<JobStore, "newStored" | "recordEnd" | "markMoved">
  /** See `createChecks`. */
  runCheck: Effects["runCheck"]
  records: Pick<Records, "get" | "of">
  isolation: Pick<Isolation, "make" | "giveUp" | "enter" | "seal" | "withOverlaps">
  /** What one does that stands for the items that another job finds, in place of a prompt. */
  runItems: Effects["promptChild"]
  /** Shows the person what they should know. */
  warn(toast: Toast): void
  /** The tools that start and steer jobs: a child that may not start any does not even see them. */
  jobTools: readonly string[]
}

export type ChildEffects = Effects & {
  /** Resolves once no session is being made: whoever looks for jobs then finds all of them. */
  allOpened(): Promise<unknown>
}

/** What jobs have done with their children. */
export function childEffects(options: EffectsOptions): ChildEffects {
  const {
    host,
    turns,
    store,
    records,
    isolation,
    warn,
    jobTools,
    runItems,
    runCheck,
    keepResult = keepInFile,
  } = options
  const opening = new Set<Promise<unknown>>()

  return {
    allOpened: () => Promise.allSettled(opening),

    openSession(job, signal) {
      const opened = open(job, signal).finally(() => opening.delete(opened))
      opening.add(opened)
      return opened
    },

    async promptChild(given, signal) {
      if (given.job.each) return runItems(given, signal)
      const child = await inWorktree(await withNeeds(given), signal)
      return committed(child, await ask(child, signal), signal)
    },

    async runCheck(input, signal) {
      const result = await runCheck(input, signal)
      const { job } = input
      const { commit } = job.worktree ?? {}
      if (!job.worktree || commit === undefined) return result
      // Whoever else has changed its files while it was checked. Where that cannot be told, the check counts all the same.
      const told = isolation.withOverlaps(job, { ...job.worktree, commit }, signal)
      return { ...result, worktree: await told.catch(() => job.worktree) }
    },

    lookForAnswer: ({ session }) => turns.look(session),

    recordEnd: (record) => store.recordEnd(record),

    leaveChild: leave,

    async stopChild(child) {
      const { session } = child
      const turn = turns.of(session)
      const draft = turns.draftOf(session)
      const isAskedAnew = () => turns.of(session) !== undefined && turns.of(session) !== turn
      const abort = insist(
        `stop ${session}, which may still be working`,
        () => host.abort(session),
        // Not what runs there by then.
        isAskedAnew,
      )
      await within(abortTimeout, abort, () => undefined)
      const unread = () => (draft === "" ? {} : { text: draft })
      const written = await within(textTimeout, writtenBy(child, draft), unread)
      turns.forget(session, turn)
      const { worktree } = child.job
      if (!worktree) return written
      const sealed = isolation.seal({ ...child.job, worktree }).catch((thrown) => {
        void host.log("warn", uncommitted(worktree, thrown))
        return unsealed(worktree)
      })
      return { ...written, worktree: await sealed }
    },
  }

  async function ask(child: ChildInput, signal: AbortSignal): Promise<Answer> {
    const answer = signal.aborted
      ? undefined
      : await turns.run(child, signal).catch((thrown) => unknownModel(child, thrown))
    // Its job ends otherwise: what had been written is read as the child is stopped.
    if (!answer) throw failure("interrupted", { message: "nobody waits for the answer any more" })
    const { session } = child
    const draft = turns.draftOf(session)
    // What it was told goes on to the next model.
    if (!answer.isUnavailable || !child.job.fallbacks?.length) turns.forget(session)
    if (!answer.error || answer.error.kind === "schema")
      return { ...answer, usage: await usageOf(host, session) }
    // What came before the failure is in the messages of earlier steps too.
    const written = await writtenBy(child, draft)
    return { ...answer, text: written.text || answer.text, usage: written.usage }
  }

  /** A prompt for a model that opencode does not have fails without a word of that. */
  async function unknownModel({ job: { model }, session }: ChildInput, thrown: unknown): Promise<Answer> {
    const models = await within(usageTimeout, host.models(session), noAnswer)
    if (model === undefined || !models.ok || models.value.some(({ name }) => name === model)) throw thrown
    const error: JobError = { kind: "provider", message: `opencode has no model "${model}"` }
    return { text: "", error, isUnavailable: true }
  }

  async function leave({ job, session, error }: LeaveInput): Promise<LeaveChildOutput> {
    const turn = turns.of(session)
    const aborted = await host.abort(session)
    if (!aborted.ok) throw failure("prompt", aborted.error)
    const [messages, conversation, usage] = await Promise.all([
      host.messages(session),
      host.conversation(session),
      usageOf(host, session),
    ])
    if (!messages.ok) throw failure("prompt", messages.error)
    if (!conversation.ok) throw failure("prompt", conversation.error)
    const told = turns.toldIn({ job, session }, messages.value)
    turns.forget(session, turn)
    return { prompt: promptForNext(job, told, error), changed: changingTools(conversation.value), usage }
  }

  /** What the session that a job leaves has: its rules hold on, and its job is the same one. */
  async function leftBy({ attempts = [] }: JobInput): Promise<HostSession | undefined> {
    const session = attempts.at(-1)?.session
    if (session === undefined) return undefined
    const left = await host.session(session)
    if (!left.ok) throw failure("create", left.error)
    return left.value
  }

  /** Its prompt with the results of what it needed, if anything. */
  async function withNeeds(child: ChildInput): Promise<ChildInput> {
    // What has not passed, it has worked on with them.
    if (!child.job.needs || child.red) return child
    return {
      ...child,
      job: { ...child.job, prompt: await withResults(child, { host, records, keep: keepResult }) },
    }
  }

  /** What a job that could not begin has left is nobody's: no record names it. */
  async function open(job: JobInput, signal: AbortSignal): Promise<Opened> {
    if (job.worktree || !job.isolation) return openIn(job, signal)
    const worktree = await isolate(job, signal)
    const giveUp = () =>
      isolation.giveUp(job, worktree).catch((thrown) => {
        void host.log("warn", `could not remove ${worktree.directory}: ${wordsOf(thrown)}`)
      })
    try {
      const opened = await openIn({ ...job, worktree }, signal)
      if (isUnwanted(job, signal)) await giveUp()
      return opened
    } catch (thrown) {
      await giveUp()
      throw thrown
    }
  }

  async function openIn(job: JobInput, signal: AbortSignal): Promise<Opened> {
    const { worktree } = job
    const left = await leftBy(job)
    const rules = [...(job.rules ?? []), ...(job.mayStartJobs ? [] : hidden(jobTools))]
    const { message = "", call, agent = "" } = job.startedBy ?? {}
    const session = await host.createSession({
      parent: job.owner,
      call: { session: job.owner, message, call, agent },
      model: job.model,
      variant: job.variant,
      title: `${job.description} (@${job.agent} ${job.id})`,
      agent: job.agent,
      rules: left?.rules ?? (worktree ? await rulesIn(worktree, job, rules, signal) : rules),
      stored: await store.newStored(job, left),
      isPermitted: left !== undefined,
      directory: worktree?.directory,
    })
    if (!session.ok) throw failure("create", session.error)
    const { id } = session.value
    // Nobody would ever look at it.
    if (isUnwanted(job, signal)) await insist(`remove ${id}`, () => host.deleteSession(id))
    else if (left) store.markMoved(left.id, id)
    return { session: id, worktree }
  }

  /** Whether a job has failed meanwhile. */
  function isUnwanted({ owner, id }: JobInput, signal: AbortSignal): boolean {
    const record = records.get(owner, id)
    return signal.aborted && record !== undefined && (hasEnded(record) || record.phase === "stopping")
  }

  async function isolate(job: JobInput, signal: AbortSignal): Promise<Worktree> {
    return isolation.make(job, signal).catch((thrown) => {
      throw failure("isolation", { message: wordsOf(thrown) })
    })
  }

  /** What it may have to start from is there by now. */
  async function inWorktree(child: ChildInput, signal: AbortSignal): Promise<ChildInput> {
    if (!child.job.worktree) return child
    try {
      return { ...child, job: { ...child.job, worktree: await isolation.enter(child.job, signal) } }
    } catch (thrown) {
      throw failure("isolation", { message: wordsOf(thrown) })
    }
  }

  /** An answer whose work is not on its branch is none that anybody can build on. */
  async function committed({ job }: ChildInput, answer: Answer, signal: AbortSignal): Promise<Answer> {
    const { worktree } = job
    if (!worktree || answer.isUnavailable) return answer
    try {
      return { ...answer, worktree: await isolation.seal({ ...job, worktree }, signal) }
    } catch (thrown) {
      const error = failure("isolation", { message: uncommitted(worktree, thrown) })
      return { ...answer, worktree: unsealed(worktree), error: answer.error ?? error }
    }
  }

  /** Its own configuration may lack what the owner's has, where git does not track that. */
  async function rulesIn(
    { directory }: Worktree,
    { owner, agent, model }: JobInput,
    rules: readonly PermissionRule[],
    signal: AbortSignal,
  ): Promise<PermissionRule[]> {
    const [offer, agents] = await Promise.all([offeredIn(directory, signal), host.agents(owner)])
    if (!offer.ok) throw failure("isolation", offer.error)
    if (!agents.ok) throw failure("isolation", agents.error)
    const named = ({ name }: { name: string }) => name === agent
    const [here, there] = [agents.value.find(named), offer.value.agents.find(named)]
    if (!here || !there) throw failure("isolation", { message: lacking(`agent "${agent}"`) })
    const { models } = offer.value
    if (model !== undefined && models?.every(({ name }) => name !== model))
      throw failure("isolation", { message: lacking(`model "${model}"`) })
    return rulesElsewhere(here, rules, there)
  }

  /** opencode loads a directory before it answers: many at once take longer than an answer should. */
  async function offeredIn(directory: string, signal: AbortSignal): Promise<Result<Offer>> {
    for (let attempt = 0; ; attempt++) {
      const offer = await host.offeredIn(directory)
      if (offer.ok || !offer.error.isInDoubt || signal.aborted) return offer
      await pause(attempt)
    }
  }

  /** Tries until opencode has done it, for about a minute. */
  async function insist(
    what: string,
    act: () => Promise<Result<unknown>>,
    isObsolete = () => false,
  ): Promise<void> {
    for (let attempt = 0; !isObsolete(); attempt++) {
      const acted = await act()
      if (acted.ok || acted.error.status === 404) return
      const complaint = `could not ${what}: ${acted.error.message}`
      void host.log("warn", complaint)
      if (attempt + 1 === mostAttempts) {
        warn({ message: complaint, variant: "error" })
        return
      }
      await pause(attempt)
    }
  }

  /** @param draft what the child was writing when it failed or was stopped; opencode may have kept it or not. */
  async function writtenBy({ job, session }: ChildInput, draft: string): Promise<StopChildOutput> {
    const [messages, usage] = await Promise.all([host.messages(session), usageOf(host, session)])
    if (!messages.ok) return { ...(draft !== "" && { text: draft }), usage }
    const kept = textSince(messages.value, promptID(session, job.askedAt))
    const text = kept.includes(draft) ? kept : [kept, draft].filter((each) => each !== "").join("\n\n")
    return { text, usage }
  }
}

const pause = (attempt: number) =>
  new Promise((resolve) => setTimeout(resolve, backoff(attempt, pauses)).unref())

const uncommitted = ({ directory }: Worktree, thrown: unknown) =>
  `what it did could not be committed, and is in ${directory}: ${wordsOf(thrown)}`

/** What an earlier run has committed is not all that is in it. */
const unsealed = ({ directory, branch, base }: Worktree): Worktree => ({ directory, branch, base })

const lacking = (what: string) =>
  `there is no ${what} in its worktree, which has only the configuration that git tracks: commit what defines it, or ` +
  "define it in the user's own configuration"

/**
 * A tool that is denied everywhere is not even offered. A prompt's own `tools` would do the same, but opencode puts
 * them in the place of all the session's rules.
 */
function hidden(tools: readonly string[]): PermissionRule[] {
  return tools.map((permission) => ({ permission, pattern: "*", action: "deny" }))
}

async function usageOf(host: Host, session: string): Promise<Usage | undefined> {
  const found: Result<HostSession> = await within(usageTimeout, host.session(session), noAnswer)
  return found.ok ? found.value.usage : undefined
}

const noAnswer = (): Result<never> => ({ ok: false, error: { message: "opencode gave no answer" } })
