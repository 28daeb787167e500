import type { ShownJob } from "./jobs.ts"

/**
 * What the server part offers to the terminal part, which on opencode 2 may run on another machine: opencode's RPC, with
 * JSON Schemas. Seen in 2.0.15, where both parts name the same contract.
 */
export const contract = {
  id: "opencode-troupe",
  methods: {
    list: {
      input: object({ owner: { type: "string" } }, ["owner"]),
      output: object({ jobs: { type: "array", items: { type: "object" } } }, ["jobs"]),
    },
  },
  events: { changed: { schema: object({ owner: { type: "string" } }, ["owner"]) } },
} as const

function object(properties: Record<string, object>, required: string[]) {
  return { type: "object", properties, required }
}

/** How the server part answers. */
export type TerminalService = {
  list(given: { owner: string }): { jobs: ShownJob[] }
}
