import { hostname } from "node:os"
import type { Lease } from "./stored-job.ts"

/** This process as a holder of jobs. */
export function thisProcess(): Lease {
  return { host: hostname(), pid: process.pid, process: `${Math.round(performance.timeOrigin)}` }
}
