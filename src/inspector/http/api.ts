import { z } from "zod"
import { JOB_STATES, JobRecord } from "../../machines/record.ts"

/** What the routes take and give: the one description that parses requests and makes openapi.json. */

const stateList = z
  .string()
  .transform((text) => text.split(","))
  .pipe(z.array(z.enum(JOB_STATES)))

export const JobsQuery = z.strictObject({
  state: stateList.optional().describe(`One or more of ${JOB_STATES.join(", ")}, with commas between.`),
  owner: z.string().max(200).optional().describe("The owner's session id."),
  q: z.string().max(500).optional().describe("A search such as `state:failed agent:x text`."),
  limit: z.coerce.number().int().min(1).max(1_000).default(200).describe("Jobs in one answer."),
  cursor: z
    .string()
    .regex(/^\d{1,16}~[^/]{1,200}\/.{1,200}$/, "must be a `cursor` of an earlier answer")
    .optional()
    .describe("From an earlier answer: continues after it."),
})
export type JobsQuery = z.infer<typeof JobsQuery>

export const JobViewAnswer = JobRecord.omit({ text: true }).extend({
  project: z.string().describe("The project's name."),
})

export const JobsAnswer = z.object({
  jobs: z.array(JobViewAnswer).describe("Newest first, without their texts."),
  counts: z.record(z.enum(JOB_STATES), z.number().int()).describe("Of all that match but for `state`."),
  cursor: z.string().optional().describe("There are more: ask again with it."),
})

export const TransitionAnswer = z.object({
  at: z.number(),
  from: z.string().describe("`state` or `state.phase`; empty where the job began."),
  to: z.string(),
  event: z.string(),
  why: z.string().describe("The cause in plain words."),
})

export const NoText = z.object({
  kind: z
    .enum(["nothing", "lost", "unreadable"])
    .describe("The child wrote nothing; opencode no longer has it; opencode could not be asked."),
  message: z.string(),
})
export type NoText = z.infer<typeof NoText>

export const JobAnswer = JobRecord.extend({
  text: z
    .string()
    .optional()
    .describe(
      "The final answer, or what it had written when it was stopped. While it runs: what it is writing.",
    ),
  noText: NoText.optional().describe("Why an ended job has no `text`."),
  project: z.string(),
  history: z.array(TransitionAnswer).describe("Oldest first."),
  can: z
    .object({ cancel: z.string().optional(), send: z.string().optional() })
    .describe("For what is not possible now, why."),
})
export type JobAnswer = z.infer<typeof JobAnswer>

export const ActorAnswer = z.object({
  kind: z.enum(["process", "system", "supervisor", "job"]),
  id: z.string(),
  state: z.string(),
  session: z.string().optional(),
  counts: z.record(z.string(), z.number()),
  get children() {
    return z.array(ActorAnswer)
  },
})
export type ActorAnswer = z.infer<typeof ActorAnswer>

const Point = z.tuple([z.number(), z.number()])

export const MachineAnswer = z.object({
  id: z.string(),
  width: z.number(),
  height: z.number(),
  nodes: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      place: z.string().optional().describe("The `state.phase` that it stands for."),
      kind: z.enum(["atomic", "compound", "final"]),
      inside: z.array(z.string()).describe("Events that are handled without leaving it."),
      x: z.number(),
      y: z.number(),
      width: z.number(),
      height: z.number(),
    }),
  ),
  arrows: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      texts: z.array(z.string()),
      transitions: z
        .array(z.object({ from: z.string(), to: z.string(), event: z.string() }))
        .describe("What the arrow stands for; nodes in `from` and `to` may be meant. No event: at once."),
      points: z.array(Point),
      label: Point.describe("The middle of the texts."),
    }),
  ),
})
export type MachineAnswer = z.infer<typeof MachineAnswer>

export const MACHINES = ["job", "supervisor", "system"] as const
export const MachineName = z.enum(MACHINES)

export const CancelBody = z.strictObject({
  reason: z.string().min(1).max(500).default("cancelled in the inspector"),
})
export const SendBody = z.strictObject({ message: z.string().min(1).max(32_000) })
export const AcceptedAnswer = z.object({ accepted: z.literal(true) })
export const LinkAnswer = z.object({ link: z.string() })
export const ErrorAnswer = z.object({
  error: z.object({
    kind: z.string(),
    message: z.string(),
    command: z.string().optional().describe("Prints a fresh link, where one is required."),
  }),
})
export type ErrorAnswer = z.infer<typeof ErrorAnswer>
