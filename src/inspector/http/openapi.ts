import * as z from "zod"
import {
  AcceptedAnswer,
  AccessAnswer,
  AccessBody,
  ActorAnswer,
  AnswerBody,
  CancelBody,
  CancelJobsBody,
  CancelledAnswer,
  ErrorAnswer,
  FilesAnswer,
  JobAnswer,
  JobsAnswer,
  JobsQuery,
  LinkAnswer,
  MACHINES,
  MachineAnswer,
  MessagesAnswer,
  MessagesQuery,
  PhasesAnswer,
  ProofAnswer,
  ProofQuery,
  SendBody,
} from "./api.ts"

/** OpenAPI 3.1 of the routes, generated from the schemas that parse them. */
export function openApiDocument(url: string): Record<string, unknown> {
  return {
    openapi: "3.1.0",
    info: {
      title: "opencode-troupe inspector",
      version: "1",
      description:
        "Subagent jobs of a running opencode. Available on this machine only, and only with the token.",
    },
    servers: [{ url }],
    security: [{ bearer: [] }],
    paths: {
      "/": { get: operation("The page.", { type: "text/html" }) },
      "/api/jobs": {
        get: operation("Lists jobs, newest first.", {
          schema: JobsAnswer,
          parameters: queryParameters(JobsQuery),
        }),
      },
      "/api/jobs/{session}": {
        get: operation("One job with its text and history.", {
          schema: JobAnswer,
          parameters: [session],
        }),
      },
      "/api/jobs/{session}/messages": {
        get: operation("The conversation of a job's child, read from opencode.", {
          schema: MessagesAnswer,
          parameters: [session, ...queryParameters(MessagesQuery)],
        }),
      },
      "/api/jobs/{session}/files": {
        get: operation("The files that a job's child has changed, where opencode knows them.", {
          schema: FilesAnswer,
          parameters: [session],
        }),
      },
      "/api/jobs/{session}/answer": {
        post: change(
          "Answers a permission request or a question of a job's child, or of a session below it.",
          AnswerBody,
        ),
      },
      "/api/jobs/{session}/cancel": {
        post: change("Cancels a job and every job that it started.", CancelBody),
      },
      "/api/jobs/{session}/send": {
        post: change("Sends a message to a running job, or a follow-up to an ended one.", SendBody),
      },
      "/api/cancel": {
        post: change("Cancels all running jobs of an owner, or of one batch.", CancelJobsBody, {
          schema: CancelledAnswer,
          parameters: [ownHeader],
        }),
      },
      "/api/phases": {
        get: operation("What jobs spent their time on.", { schema: PhasesAnswer }),
      },
      "/api/actors": {
        get: operation("The actors that are alive now, as a tree.", { schema: reference("Actor") }),
      },
      "/api/machines/{name}": {
        get: operation("A state machine as a graph, laid out for drawing.", {
          schema: MachineAnswer,
          parameters: [pathParameter("name", { enum: MACHINES })],
        }),
      },
      "/api/stream": {
        get: operation("Server-sent events `snapshot`, `changes` and `resync`.", {
          type: "text/event-stream",
          parameters: [
            {
              name: "Last-Event-ID",
              in: "header",
              schema: { type: "string", pattern: "^[0-9]+$" },
              description: "Resumes after the event with this id.",
            },
          ],
        }),
      },
      "/api/link": {
        post: {
          ...operation("A fresh single-use link to the page. Requires the secret of the running inspector.", {
            schema: LinkAnswer,
            parameters: [ownHeader],
          }),
        },
      },
      "/api/access": {
        post: {
          ...operation("Exchanges a link for a secret, once.", {
            schema: AccessAnswer,
            parameters: [ownHeader],
          }),
          requestBody: {
            required: true,
            content: { "application/json": { schema: jsonSchema(AccessBody, "input") } },
          },
          security: [],
        },
      },
      "/api/proof": {
        get: {
          ...operation("Shows that this is still the inspector that gave a secret.", {
            schema: ProofAnswer,
            parameters: queryParameters(ProofQuery),
          }),
          security: [],
        },
      },
      "/metrics": { get: operation("Metrics for Prometheus.", { type: "text/plain" }) },
      "/openapi.json": { get: operation("This document.", { schema: z.record(z.string(), z.unknown()) }) },
    },
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
      },
      schemas: componentSchemas(),
    },
  }
}

type Answer = { schema?: z.ZodType | Reference; type?: string; parameters?: unknown[]; status?: number }

function operation(summary: string, { schema, type = "application/json", parameters, status = 200 }: Answer) {
  return {
    summary,
    ...(parameters && { parameters }),
    responses: {
      [status]: {
        description: summary,
        content: { [type]: { schema: schema === undefined ? { type: "string" } : inDocument(schema) } },
      },
      "4XX": {
        description: "What was wrong, and what would be right.",
        content: {
          "application/json": { schema: reference("Error") },
          ...(type === "text/html" && { "text/html": { schema: { type: "string" } } }),
        },
      },
    },
  }
}

function change(summary: string, body: z.ZodType, answer: Answer = ofOneJob) {
  return {
    ...operation(summary, { ...answer, status: 202 }),
    requestBody: { required: true, content: { "application/json": { schema: jsonSchema(body, "input") } } },
  }
}

const pathParameter = (name: string, schema: object) => ({
  name,
  in: "path",
  required: true,
  schema: { type: "string", ...schema },
})

const session = pathParameter("session", {
  description: "The child session's id or, for a job that has none, `owner/id`.",
})

const ownHeader = { name: "x-troupe", in: "header", required: true, schema: { type: "string", const: "1" } }

const ofOneJob: Answer = { schema: AcceptedAnswer, parameters: [session, ownHeader] }

function queryParameters({ shape }: z.ZodObject) {
  return Object.entries(shape).map(([name, field]) => {
    const { description, ...schema } = jsonSchema(field, "input")
    return { name, in: "query", required: !z.safeParse(field, undefined).success, description, schema }
  })
}

type Reference = { $ref: string }

const reference = (name: "Actor" | "Error"): Reference => ({ $ref: `#/components/schemas/${name}` })

const inDocument = (schema: z.ZodType | Reference) => ("$ref" in schema ? schema : jsonSchema(schema))

/** A schema that refers to itself requires a name in the document. */
function componentSchemas() {
  const named = z.registry<{ id: string }>()
  named.add(ActorAnswer, { id: "Actor" })
  named.add(ErrorAnswer, { id: "Error" })
  const { schemas } = z.toJSONSchema(named, { uri: (id) => `#/components/schemas/${id}` })
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _dialect, $id: _uri, id: _name, ...schema }]) => [
      name,
      schema,
    ]),
  )
}

function jsonSchema(schema: z.ZodType, io: "input" | "output" = "output") {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io,
    reused: "inline",
    cycles: "ref",
    // The words of refusals are no part of the dialect.
    override: ({ jsonSchema }) => void delete jsonSchema.requirement,
  })
  return rest
}
