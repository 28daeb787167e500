import { sessionOf } from "./scripted-troupe.ts"

/** What the inspector answers to those who have a way in, for a job named j1. */
export const job = `/api/jobs/${sessionOf("j1")}`
export const reads = [
  "/api/jobs",
  job,
  `${job}/messages`,
  `${job}/files`,
  "/api/actors",
  "/api/phases",
  "/api/machines/job",
  "/api/stream",
  "/metrics",
  "/openapi.json",
]
export const changes = [`${job}/cancel`, `${job}/send`, `${job}/answer`, "/api/cancel"]
export const everywhere: [method: string, path: string][] = [
  ...reads.map((path): [string, string] => ["GET", path]),
  ...changes.map((path): [string, string] => ["POST", path]),
]
