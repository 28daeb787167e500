import type { ToolOutcome } from "../../support/any-opencode.ts"
import { isNotification } from "../../support/conversation.ts"
import { held, jobOf } from "../../support/jobs.ts"
import { poll } from "../../support/waiters.ts"
import type { Fault } from "./fault.ts"
import type { Site, SiteKind } from "./site.ts"

/**
 * One job's life with a fault in it. Each says in a word or two what its owner saw meanwhile, and leaves the fault
 * mended: what must hold afterwards is the same for all.
 */
export type Scenario = {
  site: SiteKind
  run(trial: Trial): Promise<{ owner: string; outcome: string }>
}

export type Trial = {
  site: Site
  fault: Fault
  /** Tells this trial's prompts from those of the others. */
  name: string
}

/** What the child wrote before anybody stopped it. */
export const firstWords = "half of it"

const answerOf = ({ name }: Pick<Trial, "name">) => `the answer in ${name}`
export const promptOf = ({ name }: Pick<Trial, "name">) => `Work in ${name}.`

/** A job is started and waited for while the fault lasts. */
export const starting: Scenario = {
  site: "never",
  async run(trial) {
    const { site, fault } = trial
    site.model.on(promptOf(trial), { type: "text", text: answerOf(trial) })
    const owner = await site.project.session()
    site.spoil(fault)
    const task = {
      id: "it",
      prompt: promptOf(trial),
      model: "fake/m2",
      // The one call that lasts as long as the turn.
      timeout: fault.call === "prompt" && fault.way === "hangs" ? 3 : 60,
    }
    const started = await site.project.callTool(owner, "agents_start", { tasks: [task] })
    const isOver = started.output.startsWith("Not started")
    const outcome =
      started.status === "error"
        ? refusal(started)
        : started.output.startsWith("Refused")
          ? "refused"
          : isOver
            ? outcomeOf(started)
            : await waitedFor(site, owner)
    await site.spoiled(fault.call)
    site.mend()
    return { owner, outcome }
  },
}

/** A session is made so late that its job has failed, and the fault comes when it is to be removed. */
export const startingLate: Scenario = {
  site: "never",
  async run(trial) {
    const { site, fault } = trial
    const owner = await site.project.session()
    site.spoil({ call: "createSession", way: "late", lateMs: 32_000 }, fault)
    const task = { id: "it", prompt: promptOf(trial) }
    const outcome = outcomeOf(await site.project.callTool(owner, "agents_start", { tasks: [task] }))
    await site.project.callTool(owner, "agents_wait", {})
    await site.spoiled(fault.call)
    site.mend()
    return { owner, outcome }
  },
}

/** The record of a new session cannot be written, and the fault comes when what there is of it is to be removed. */
export const startingUnrecorded: Scenario = {
  site: "never",
  async run(trial) {
    const { site, fault } = trial
    const owner = await site.project.session()
    site.spoil({ call: "storage.set", way: "rejects", lateMs: 0 }, fault)
    const task = { id: "it", prompt: promptOf(trial) }
    const outcome = outcomeOf(await site.project.callTool(owner, "agents_start", { tasks: [task] }))
    await site.spoiled(fault.call)
    site.mend()
    return { owner, outcome }
  },
}

/** The fault comes while the job works, and its owner waits for it. What the child writes is kept in any case. */
export const working = whileItWorks()

/** The same, where the fault hits how the job is shown on the call that waits for it. */
export const shown = whileItWorks({ isHitBefore: true })

/** @param when `isHitBefore`: the job goes on working until the fault has hit */
function whileItWorks({ isHitBefore = false } = {}): Scenario {
  return {
    site: "never",
    async run(trial) {
      const { site, fault } = trial
      const job = await startHeld(trial)
      site.spoil(fault)
      const waiting = site.project.startTool(job.owner, "agents_wait", {})
      await waiting.running()
      if (isHitBefore) await site.spoiled(fault.call)
      job.release(answerOf(trial))
      const done = await waiting.done
      const outcome = outcomeOf(done)
      await site.spoiled(fault.call)
      site.mend()
      const isKept = done.output.includes(answerOf(trial))
      if (!isKept) throw new Error(`its text is lost: ${words(done)}`)
      return { owner: job.owner, outcome }
    },
  }
}

/** The fault comes while the job works, and its owner cancels it. */
export const cancelling: Scenario = {
  site: "never",
  async run(trial) {
    const { site, fault } = trial
    const { owner, session } = await startHeld(trial)
    site.spoil(fault)
    const cancelled = await site.project.callTool(owner, "agents_cancel", { all: true })
    const outcome = outcomeOf(cancelled)
    const isShown = cancelled.output.includes(firstWords)
    const { output } = isShown
      ? cancelled
      : await site.project.callTool(owner, "agents_wait", { ids: ["it"] })
    await site.spoiled(fault.call)
    site.mend()
    await poll("the child's rest", async () => !(await site.project.isBusy(session)) || undefined)
    const text = output.includes(firstWords) ? "text kept" : "text lost"
    return { owner, outcome: `${outcome}, ${text}` }
  },
}

/** The fault comes while the job works, and its owner tells it more. */
export const telling: Scenario = {
  site: "never",
  async run(trial) {
    const { site, fault } = trial
    const job = await startHeld(trial)
    site.spoil(fault)
    const sent = await site.project.callTool(job.owner, "agents_send", {
      id: "it",
      message: `More for ${trial.name}.`,
    })
    await site.spoiled(fault.call)
    site.mend()
    job.release("so far")
    await site.project.callTool(job.owner, "agents_wait", {})
    const isHeard = site.model.requests.some(({ text }) => text.includes(`More for ${trial.name}.`))
    if (isHeard !== (sent.status === "completed"))
      throw new Error(`heard: ${isHeard}, but said: ${words(sent)}`)
    return { owner: job.owner, outcome: isHeard ? "sent" : "error: not sent" }
  },
}

/** A job ends while its owner is idle: it is to be told. */
export const notifying: Scenario = {
  site: "idle",
  async run(trial) {
    const { site, fault } = trial
    const job = await startHeld(trial)
    site.spoil(fault)
    job.release(answerOf(trial))
    // A quick fault lasts for a second attempt.
    await site.spoiled(fault.call, fault.way === "rejects" || fault.way === "error" ? 2 : 1)
    site.mend()
    await told(site, job.owner)
    return { owner: job.owner, outcome: "delivered once" }
  },
}

/**
 * The plugin's instance ends while a job works: the next one finds it, and its owner is told when it is next used. In
 * opencode 2 the child works on meanwhile.
 */
export const restarting: Scenario = {
  site: "reloading",
  async run(trial) {
    const { site, fault } = trial
    const { owner, release } = await startHeld(trial)
    site.spoil(fault)
    await site.reload()
    await site.spoiled(fault.call)
    site.mend()
    await site.project.callTool(owner, "agents_status", {})
    release(answerOf(trial))
    await told(site, owner)
    return { owner, outcome: "delivered once" }
  },
}

async function startHeld(trial: Trial) {
  const { site } = trial
  const answer = held(firstWords)
  site.model.on(promptOf(trial), answer.reply)
  const owner = await site.project.session()
  const task = { id: "it", prompt: promptOf(trial) }
  const { session } = jobOf(await site.project.callTool(owner, "agents_start", { tasks: [task] }))
  await site.project.events.waitFor("text.streamed", (event) => event.session === session)
  return { owner, session, release: answer.release }
}

async function waitedFor(site: Site, owner: string): Promise<string> {
  return outcomeOf(await site.project.callTool(owner, "agents_wait", { ids: ["it"] }))
}

function outcomeOf(result: ToolOutcome): string {
  const { state, error } = jobOf(result)
  return error && state !== "cancelled" ? `${state} (${error.kind})` : state
}

function refusal(result: ToolOutcome): string {
  if (!/nothing was started/i.test(words(result)))
    throw new Error(`an error that says too little: ${words(result)}`)
  return "refused"
}

const words = ({ output, error }: ToolOutcome) => error ?? output

/** Resolves once the owner has been told, and has taken a turn on it. */
function told(site: Site, owner: string): Promise<unknown> {
  return poll(
    "the owner's turn on the notification",
    async () => {
      const texts = (await site.project.userTexts(owner)).filter(isNotification)
      const hasTurned = site.model.requests.some(
        ({ session, text, state }) => session === owner && isNotification(text) && state === "answered",
      )
      return (texts.length > 0 && hasTurned) || undefined
    },
    { timeoutMs: 40_000 },
  )
}
