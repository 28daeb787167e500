import * as z from "zod"
import { JOB_STATES, JobRecord } from "../../machines/record.ts"

/** What the routes accept and answer: these schemas parse requests and generate openapi.json. */

const stateList = z
  .string()
  .transform((text) => text.split(","))
  .pipe(z.array(z.enum(JOB_STATES)))
  .meta({ requirement: `one or more of ${JOB_STATES.join(", ")}, separated by commas` })

export const JobsQuery = z.strictObject({
  state: stateList.optional().describe(`One or more of ${JOB_STATES.join(", ")}, separated by commas.`),
  owner: z.string().max(200).optional().describe("The session id of an owner."),
  q: z.string().max(500).optional().describe("A search such as `state:failed agent:x text`."),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(200)
    .describe("Maximum number of jobs in one answer."),
  cursor: z
    .string()
    .regex(/^\d{1,16}~[^/]{1,200}\/.{1,200}$/)
    .meta({ requirement: "the `cursor` of an earlier answer" })
    .optional()
    .describe("The `cursor` of an earlier answer: continues after it."),
})
export type JobsQuery = z.infer<typeof JobsQuery>

export const JobViewAnswer = JobRecord.omit({ text: true }).extend({
  project: z.string().describe("The project's folder."),
})

export const JobsAnswer = z.object({
  jobs: z.array(JobViewAnswer).describe("Newest first, without texts; long strings are cut."),
  counts: z
    .record(z.enum(JOB_STATES), z.number().int())
    .describe("Jobs by state, of all that match the other parameters."),
  cursor: z.string().optional().describe("Present when there are more jobs: send it with the next request."),
})

export const TransitionAnswer = z.object({
  at: z.number(),
  from: z.string().describe("`state` or `state.phase`; empty for the first one."),
  to: z.string(),
  event: z.string(),
  why: z.string().describe("The cause in plain words."),
})

export const NoText = z.object({
  kind: z
    .enum(["nothing", "lost", "unreadable"])
    .describe(
      "`nothing`: the child wrote nothing. `lost`: opencode does not have it and never will. `unreadable`: opencode " +
        "could not be asked.",
    ),
  message: z.string(),
})
export type NoText = z.infer<typeof NoText>

export const JobAnswer = JobRecord.extend({
  text: z
    .string()
    .optional()
    .describe(
      "The final answer, or what the child had written when it was stopped. While it runs: what it is writing.",
    ),
  noText: NoText.optional().describe("Why an ended job has no `text`."),
  project: z.string(),
  history: z.array(TransitionAnswer).describe("Oldest first."),
  can: z
    .object({ cancel: z.string().optional(), send: z.string().optional() })
    .describe("Why a change is not possible now; absent where it is possible."),
})
export type JobAnswer = z.infer<typeof JobAnswer>

export const ActorAnswer = z.object({
  kind: z
    .enum(["process", "system", "supervisor", "delivery", "writer", "job", "turn"])
    .describe(
      "`process`: opencode. `system`: one project. `supervisor`: the jobs of one owner. `delivery`: puts results into the " +
        "owner's conversation. `writer`: stores the record of one job. `job`: one job that has not ended. `turn`: what " +
        "the job's child was asked.",
    ),
  id: z.string().describe("Unique among those of its kind under one parent."),
  state: z.string().describe("The state of its machine; of a job: `state.phase`."),
  session: z.string().optional().describe("The child session that the actor is about."),
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
      place: z.string().optional().describe("The `state.phase` that the node stands for."),
      kind: z.enum(["atomic", "compound", "final"]),
      inside: z.array(z.string()).describe("Events that do not leave the node."),
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
        .describe(
          "What the arrow stands for; ends may lie within `from` and `to`. Without an event: immediate.",
        ),
      points: z.array(Point),
      label: Point.describe("The centre of the texts."),
    }),
  ),
})
export type MachineAnswer = z.infer<typeof MachineAnswer>

export const MACHINES = ["job", "supervisor", "system"] as const
export const MachineName = z.enum(MACHINES)

export const CancelBody = z.strictObject({
  reason: z.string().min(1).max(500).default("cancelled in the inspector"),
})
export const SendBody = z.strictObject({
  message: z.string().max(32_000).regex(/\S/).meta({ requirement: "text that is not blank" }),
})
export const AcceptedAnswer = z.object({ accepted: z.literal(true) })
export const LinkAnswer = z.object({ link: z.string() })

export const AccessBody = z.strictObject({ link: z.string().min(1).max(200) })
export const AccessAnswer = z.object({
  secret: z
    .string()
    .describe("What this browser sends as `Authorization: Bearer` from now on. It ends with the inspector."),
  proofKey: z.string().describe("What the answers of `/api/proof` are made with."),
  command: z.string().describe("Run in a terminal, it prints a fresh link."),
})
export type AccessAnswer = z.infer<typeof AccessAnswer>

export const ProofQuery = z.strictObject({
  nonce: z
    .string()
    .regex(/^[\w-]{16,64}$/)
    .meta({ requirement: "16 to 64 letters, digits, - or _" })
    .describe("Whatever nobody else has asked for: 16 to 64 letters, digits, `-` or `_`."),
})
export const ProofAnswer = z.object({
  proof: z
    .string()
    .describe("HMAC-SHA256 of the inspector's origin, a space and the nonce, with `proofKey`; base64url."),
})
export type ProofAnswer = z.infer<typeof ProofAnswer>
export const ErrorAnswer = z.object({
  error: z.object({
    kind: z.string(),
    message: z.string(),
    command: z
      .string()
      .optional()
      .describe("Run in a terminal, it prints a fresh link; present where one is required."),
  }),
})
export type ErrorAnswer = z.infer<typeof ErrorAnswer>
