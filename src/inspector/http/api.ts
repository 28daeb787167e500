import * as z from "zod"
import { Budget, JOB_STATES, JobRecord } from "../../machines/record.ts"

/** What the routes accept and answer: these schemas parse requests and generate openapi.json. */

const stateList = z
  .string()
  .transform((text) => text.split(","))
  .pipe(z.array(z.enum(JOB_STATES)))
  .meta({ requirement: `one or more of ${JOB_STATES.join(", ")}, separated by commas` })

export const JobsQuery = z.strictObject({
  state: stateList.optional().describe(`One or more of ${JOB_STATES.join(", ")}, separated by commas.`),
  owner: z.string().max(200).optional().describe("The session id of an owner."),
  q: z
    .string()
    .max(500)
    .optional()
    .describe("A search such as `state:failed agent:x text`. `phase:held`: its provider is on hold."),
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

export const JobViewAnswer = JobRecord.omit({ text: true, structured: true }).extend({
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

export const PhasesAnswer = z.object({
  phases: z
    .record(z.string(), z.array(z.tuple([z.number(), z.string()])))
    .describe(
      "By `owner/id`: since when a job was in which `state.phase`, oldest first. Only of jobs that were blocked, backed " +
        "off, waited for a person, were stopped or ran more than once: of others the record says all of it.",
    ),
})
export type PhasesAnswer = z.infer<typeof PhasesAnswer>

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

/** What is asked, in full. All texts are foreign. */
const asking = {
  id: z.string(),
  session: z.string().describe("The session that asks: the child, or one below it."),
  unanswerable: z.string().optional().describe("Why it cannot be answered here; absent where it can be."),
}
export const RequestAnswer = z.discriminatedUnion("kind", [
  z.object({
    ...asking,
    kind: z.literal("permission"),
    action: z.string().describe("Such as `bash`."),
    parts: z
      .array(
        z.object({
          title: z.string(),
          text: z.string(),
          cut: z.literal(true).optional().describe("The text goes on."),
        }),
      )
      .describe(
        "What it is for: the command, the change. Characters that cannot be seen are written out in the patterns.",
      ),
    always: z.array(z.string()).describe("What `always` would allow from now on."),
  }),
  z.object({
    ...asking,
    kind: z.literal("question"),
    questions: z.array(
      z.object({
        key: z.string(),
        title: z.string(),
        text: z.string(),
        choices: z.array(
          z.object({ value: z.string(), label: z.string(), description: z.string().optional() }),
        ),
        isMultiple: z.boolean().describe("Several of them may be chosen."),
        takesText: z.boolean().describe("An answer of one's own may be written."),
      }),
    ),
  }),
])
export type RequestAnswer = z.infer<typeof RequestAnswer>

const SpendingAnswer = z.object({
  of: z
    .enum(["batch", "owner"])
    .describe("Whose budget it is, with all that its jobs start: a batch's, or an owner's."),
  name: z.string().describe("The batch, or the session id of the owner."),
  limit: Budget,
  spent: z
    .object({ tokens: z.number(), cost: z.number() })
    .describe("Tokens without those read from a cache; cost in US dollars."),
  isSpent: z
    .boolean()
    .describe("Nothing more is prompted. What was under way may have used more than the limit."),
})
export type SpendingAnswer = z.infer<typeof SpendingAnswer>

export const JobAnswer = JobRecord.extend({
  text: z
    .string()
    .optional()
    .describe(
      "The final answer, or what the child had written when it was stopped. While it runs: what it is writing.",
    ),
  noStructured: z
    .string()
    .optional()
    .describe("Why `structured` is left out of an answer that has it: it is too long, or nested too deep."),
  noText: NoText.optional().describe("Why an ended job has no `text`."),
  project: z.string(),
  budgets: z.array(SpendingAnswer).describe("Those that it counts towards, the narrowest first."),
  history: z.array(TransitionAnswer).describe("Oldest first."),
  requests: z
    .array(RequestAnswer)
    .describe(
      "What `asks` names, in full. One that is answered meanwhile, or cannot be read now, is not there.",
    ),
  can: z
    .object({ cancel: z.string().optional(), send: z.string().optional(), answer: z.string().optional() })
    .describe("Why a change is not possible now; absent where it is possible."),
})
export type JobAnswer = z.infer<typeof JobAnswer>

export const ActorAnswer = z.object({
  kind: z
    .enum(["process", "system", "supervisor", "delivery", "budget", "writer", "job", "turn"])
    .describe(
      "`process`: opencode. `system`: one project. `supervisor`: the jobs of one owner. `delivery`: puts results into the " +
        "owner's conversation. `budget`: what a batch or an owner may spend. `writer`: stores the record of one job. `job`: one job that has not ended. `turn`: what " +
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

export const MessagesQuery = z.strictObject({
  after: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      "The id of the last message that is known, or the `cursor` of an earlier answer: continues with it.",
    ),
})

const PartAnswer = z.object({
  type: z.enum(["text", "reasoning", "tool"]),
  text: z
    .string()
    .optional()
    .describe("Of `text` and `reasoning`. Of a running one it is what there is by now."),
  tool: z.string().optional().describe("The tool's name."),
  title: z.string().optional().describe("What the call is about."),
  status: z
    .enum(["pending", "running", "completed", "error"])
    .optional()
    .describe("Of a call. `pending`: the model is still writing its arguments."),
  input: z
    .array(z.object({ name: z.string(), text: z.string() }))
    .optional()
    .describe("The arguments of a call: strings as they are, anything else as JSON."),
  output: z.string().optional().describe("The result of a call, or why it failed."),
  startedAt: z.number().optional(),
  endedAt: z.number().optional(),
  cut: z.literal(true).optional().describe("At least one of its texts goes on."),
})

const MessageAnswer = z.object({
  id: z.string(),
  role: z.enum(["user", "assistant"]),
  at: z.number().optional(),
  model: z.string().optional().describe("`provider/model`"),
  origin: z
    .enum(["summary", "notice"])
    .optional()
    .describe(
      "Present where neither a person nor the model said it. `summary`: it stands for what was said before. `notice`: " +
        "opencode or opencode-troupe put it there.",
    ),
  error: z.string().optional().describe("Why the answer broke off."),
  parts: z.array(PartAnswer),
  cut: z.literal(true).optional().describe("It has more parts than these."),
})
export type MessageAnswer = z.infer<typeof MessageAnswer>

export const MessagesAnswer = z.object({
  messages: z
    .array(MessageAnswer)
    .describe(
      "Oldest first, bounded. With `after` the first one is that very message, which may have grown since. What opencode " +
        "has not stored yet of a text that is being written is there all the same.",
    ),
  cursor: z
    .string()
    .optional()
    .describe("Present when there are more already: send it as `after` with the next request."),
  isAnew: z
    .literal(true)
    .optional()
    .describe(
      "Present where the message `after` is no longer there, as after an undo: the conversation starts from its beginning.",
    ),
})
export type MessagesAnswer = z.infer<typeof MessagesAnswer>

const texts = z.array(z.string().max(32_000)).max(100)
const ask = z.string().min(1).max(200).describe("The `id` of the request.")
export const AnswerBody = z
  .union([
    z.strictObject({
      ask,
      reply: z.enum(["once", "always", "reject"]),
      message: z.string().max(32_000).optional().describe("What the child is told with a refusal."),
    }),
    z.strictObject({
      ask,
      answers: z
        .union([z.array(texts).max(100), z.record(z.string().max(200), texts)])
        .describe(
          "To each question the chosen values or a text: in the order of the questions, or by their keys.",
        ),
    }),
    z.strictObject({ ask, dismiss: z.literal(true) }),
  ])
  .meta({ requirement: "`ask` with either `reply` (once, always or reject), `answers` or `dismiss`: true" })
export type AnswerBody = z.infer<typeof AnswerBody>

export const FilesAnswer = z.object({
  files: z.array(
    z.object({
      path: z.string(),
      additions: z.number().optional().describe("Lines; absent where opencode does not say."),
      deletions: z.number().optional(),
      diff: z.string().optional().describe("As git writes it; several changes follow each other."),
      isMeanwhile: z
        .literal(true)
        .optional()
        .describe(
          "It changed while the child worked, but by none of its calls that name files: a command did it, or somebody else.",
        ),
      cut: z.literal(true).optional().describe("The diff goes on, or is left out for want of room."),
    }),
  ),
  why: z.string().optional().describe("Why these may not be all."),
})
export type FilesAnswer = z.infer<typeof FilesAnswer>

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

export const CancelBody = z.strictObject({
  reason: z.string().min(1).max(500).default("cancelled in the inspector"),
})
export const SendBody = z.strictObject({
  message: z.string().max(32_000).regex(/\S/).meta({ requirement: "text that is not blank" }),
})
export const CancelJobsBody = z.strictObject({
  owner: z.string().min(1).max(200).describe("The session id of an owner."),
  batch: z.string().min(1).max(200).optional().describe("Only the jobs of this batch."),
  ...CancelBody.shape,
})
export const CancelledAnswer = z.object({
  cancelled: z.number().int().describe("How many jobs were running: none where all have ended."),
})
export type CancelledAnswer = z.infer<typeof CancelledAnswer>
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
