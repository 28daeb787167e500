import type * as z from "zod"
import type { Tool, ToolAnswer, ToolCall } from "../host/port.ts"
import { applyTool } from "./apply.ts"
import {
  ApplyArguments,
  CancelArguments,
  SendArguments,
  StartArguments,
  StatusArguments,
  shown,
  WaitArguments,
} from "./arguments.ts"
import { cancel } from "./cancel.ts"
import { send } from "./send.ts"
import { jobsKnown, type Services } from "./services.ts"
import { answerOf } from "./start/report.ts"
import { makeJobs } from "./start/start.ts"
import { status } from "./status.ts"
import { wait } from "./wait.ts"

/** The names of the tools below: a child that may not start jobs is denied each of them. */
export const JOB_TOOLS = [
  "agents_start",
  "agents_status",
  "agents_wait",
  "agents_cancel",
  "agents_send",
  "agents_apply",
] as const

export type JobTool = (typeof JOB_TOOLS)[number]

/** The tools of the main agent. Their words are part of every request: see the budget in the README. */
export function jobTools(services: Services): Record<JobTool, Tool> {
  const tool = (description: string, shape: z.ZodRawShape, run: Run): Tool => ({
    description,
    arguments: shown(shape),
    async run(given, call) {
      await jobsKnown(services, call.place.session)
      return run(services, given, call)
    },
  })
  const told = new Set<string>()
  /** What only the agent can tell its user: where there are toasts, they have shown it. */
  const untold = () => {
    const { toast, problems } = services.host
    const news = toast ? [] : problems.all.filter((problem) => !told.has(problem))
    for (const problem of news) told.add(problem)
    return news
  }
  return {
    agents_start: {
      description: "Start parallel subagents; wait: true returns their results.",
      arguments: shown(StartArguments),
      async run(given, call) {
        const made = await services.starts.track(call.place, makeJobs(services, given, call))
        return withProblems(await answerOf(services, made, call), untold())
      },
    },
    agents_status: tool("Where your jobs stand.", StatusArguments, status),
    agents_wait: tool("Wait for jobs (default: all undelivered); returns full results.", WaitArguments, wait),
    agents_cancel: tool("Stop jobs and keep what they wrote.", CancelArguments, cancel),
    agents_send: tool("Tell a running job more, or follow up on an ended one.", SendArguments, send),
    agents_apply: tool(
      "Bring what jobs did in isolation into your files, uncommitted.",
      ApplyArguments,
      applyTool(),
    ),
  }
}

/** Of several, the first: a result is not the place for all. */
function withProblems(answer: ToolAnswer, [first, ...others]: readonly string[]): ToolAnswer {
  if (first === undefined) return answer
  const more = others.length === 1 ? "1 more problem" : `${others.length} more problems`
  const where = others.length > 0 ? ` (${more}: see agents_status)` : ""
  return { ...answer, output: `${answer.output}\nTell your user, from opencode-troupe: ${first}${where}` }
}

type Run = (services: Services, given: unknown, call: ToolCall) => Promise<ToolAnswer>
