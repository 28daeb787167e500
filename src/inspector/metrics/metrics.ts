import { ENDED_STATES, JOB_PHASES, JOB_STATES, JobError, type JobRecord } from "../../machines/record.ts"
import type { Histogram, Totals } from "./totals.ts"

/** Prometheus 3 rejects text without a version. */
export const metricsType = "text/plain; version=0.0.4; charset=utf-8"

/** Prometheus text: the jobs as they are now, and the totals since the first scrape. */
export function renderMetrics(records: Iterable<JobRecord>, totals: Totals): string {
  const byState = new Map<string, number>()
  const byPhase = new Map<string, number>()
  for (const { state, phase } of records) {
    byState.set(state, (byState.get(state) ?? 0) + 1)
    if (phase !== undefined) byPhase.set(phase, (byPhase.get(phase) ?? 0) + 1)
  }
  return [
    ...family("troupe_jobs", "gauge", "Jobs by state.", lines("troupe_jobs", "state", JOB_STATES, byState)),
    ...family(
      "troupe_jobs_live",
      "gauge",
      "Jobs that have not ended, by phase.",
      lines("troupe_jobs_live", "phase", JOB_PHASES, byPhase),
    ),
    ...family(
      "troupe_jobs_ended_total",
      "counter",
      "Runs that have ended, by outcome.",
      lines("troupe_jobs_ended_total", "outcome", ENDED_STATES, totals.ended),
    ),
    ...family(
      "troupe_job_errors_total",
      "counter",
      "Runs that have not ended as done, by kind of error.",
      lines("troupe_job_errors_total", "kind", ERROR_KINDS, totals.errors),
    ),
    ...family(
      "troupe_job_queue_seconds",
      "histogram",
      "Time from a job's creation, or from when all that it needs had ended, to its first prompt.",
      histogramLines("troupe_job_queue_seconds", totals.queue),
    ),
    ...family(
      "troupe_job_run_seconds",
      "histogram",
      "Time from a run's prompt to its end.",
      histogramLines("troupe_job_run_seconds", totals.run),
    ),
    ...family(
      "troupe_tokens_total",
      "counter",
      "Tokens used by jobs.",
      tokenLabels.map(([kind, label]) => `troupe_tokens_total{kind="${label}"} ${totals.usage[kind]}`),
    ),
    ...family("troupe_cost_dollars_total", "counter", "Cost of jobs in US dollars.", [
      `troupe_cost_dollars_total ${totals.usage.cost}`,
    ]),
    "",
  ].join("\n")
}

const ERROR_KINDS = JobError.shape.kind.options

const tokenLabels = [
  ["input", "input"],
  ["output", "output"],
  ["reasoning", "reasoning"],
  ["cacheRead", "cache_read"],
  ["cacheWrite", "cache_write"],
] as const

const family = (name: string, type: string, help: string, samples: string[]) => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
  ...samples,
]

function lines(
  name: string,
  label: string,
  values: readonly string[],
  counts: ReadonlyMap<string, number>,
): string[] {
  return values.map((value) => `${name}{${label}="${value}"} ${counts.get(value) ?? 0}`)
}

function histogramLines(name: string, { buckets, sum, count }: Histogram): string[] {
  return [
    ...buckets.map((bucket) => `${name}_bucket{le="${bucket.bound}"} ${bucket.count}`),
    `${name}_bucket{le="+Inf"} ${count}`,
    `${name}_sum ${sum}`,
    `${name}_count ${count}`,
  ]
}
