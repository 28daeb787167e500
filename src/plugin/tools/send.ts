import type { JobInput } from "../../machines/events.ts"
import { hasEnded, type JobRecord } from "../../machines/record.ts"
import { statusLine } from "../render.ts"
import { withTexts } from "../texts.ts"
import { readArguments, SendArguments } from "./arguments.ts"
import { type Desk, type ToolContext, type ToolResult, unknownWords, withoutText } from "./desk.ts"

/** Tells a running job something more, or gives an ended one a follow-up: a new run in the same child session. */
export async function send(desk: Desk, given: unknown, context: ToolContext): Promise<ToolResult> {
  const { id, message } = readArguments(SendArguments, given)
  const owner = context.sessionID
  const record = desk.troupe.records.get(owner, id)
  if (!record) {
    return {
      title: "unknown job",
      output: unknownWords(desk, owner, [id]).join("\n"),
      metadata: { jobs: [] },
    }
  }
  const words = hasEnded(record) ? await followUp(desk, record, message) : await tell(desk, record, message)
  const now = desk.troupe.records.get(owner, id) ?? record
  return {
    title: `${id}: ${words}`,
    output: `${words}\n${statusLine(now, desk.now())}`,
    metadata: { jobs: withoutText([now]) },
  }
}

async function tell(
  { children, troupe, host, now }: Desk,
  record: JobRecord,
  message: string,
): Promise<string> {
  if (record.state !== "prompting" || record.phase === "stopping") {
    throw new Error(
      `${record.id} is ${record.phase} and cannot be told anything now; send again when it works or has ended. ` +
        "Nothing was sent.",
    )
  }
  const told = await children.tell(record, message, now())
  if (!told.ok) throw new Error(`opencode did not take the message: ${told.error.message}. Nothing was sent.`)
  void host.log("debug", `told ${record.session} more`)
  troupe.tell(record, { type: "child.active", activity: { text: "was told more", at: now() } })
  return "It gets the message at its next step."
}

async function followUp(desk: Desk, ended: JobRecord, message: string): Promise<string> {
  const { troupe, store, options, now } = desk
  if (ended.session === "") {
    throw new Error(`${ended.id} never had a session to go on in; start a new job. Nothing was sent.`)
  }
  const [record = ended] = await withTexts(desk.host, [ended])
  const stored = await store.read(record.session)
  const job: JobInput = {
    id: record.id,
    owner: record.owner,
    description: record.description,
    prompt: message,
    agent: record.agent,
    model: record.model,
    variant: stored?.variant,
    mayStartJobs: stored?.mayStartJobs ?? false,
    createdAt: record.createdAt,
    askedAt: now(),
    run: record.run + 1,
    session: record.session,
    earlier: { text: record.text, usage: record.usage },
    timeoutMs: stored?.timeoutMs ?? options.timeoutSeconds * 1000,
    idleMs: stored?.idleMs ?? options.idleSeconds * 1000,
  }
  // Two follow-ups at once: the second finds the job running.
  const current = troupe.records.get(record.owner, record.id)
  if (!current || !hasEnded(current)) return tell(desk, current ?? record, message)
  store.saveRun(job)
  troupe.start(job)
  return `Run ${job.run} started; agents_wait has its result.`
}
