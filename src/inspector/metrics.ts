import { ENDED_STATES, JOB_STATES, type JobRecord, NO_USAGE, type Usage } from "../machines/record.ts"

/** Upper bounds of the histograms' buckets, seconds. */
const buckets = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 1_800, 3_600]

type Histogram = { counts: number[]; sum: number; count: number }

/** Prometheus 3 refuses text without its version. */
export const metricsType = "text/plain; version=0.0.4; charset=utf-8"

/** Prometheus text, made from the records when it is asked for: nothing is counted while nobody looks. */
export function renderMetrics(records: Iterable<JobRecord>): string {
  const byState = new Map<string, number>(JOB_STATES.map((state) => [state, 0]))
  const queue = newHistogram()
  const run = newHistogram()
  const usage: Usage = { ...NO_USAGE }
  for (const record of records) {
    byState.set(record.state, (byState.get(record.state) ?? 0) + 1)
    if (record.startedAt !== undefined) observe(queue, record.startedAt - record.createdAt)
    if (record.startedAt !== undefined && record.endedAt !== undefined)
      observe(run, record.endedAt - record.startedAt)
    for (const kind of usageKinds) usage[kind] += record.usage[kind]
  }
  return [
    ...family("troupe_jobs", "gauge", "Jobs by state.", lines("troupe_jobs", "state", JOB_STATES, byState)),
    ...family(
      "troupe_jobs_ended_total",
      "counter",
      "Jobs that have ended, by outcome.",
      lines("troupe_jobs_ended_total", "outcome", ENDED_STATES, byState),
    ),
    ...family(
      "troupe_job_queue_seconds",
      "histogram",
      "From asked for to its first prompt.",
      histogramLines("troupe_job_queue_seconds", queue),
    ),
    ...family(
      "troupe_job_run_seconds",
      "histogram",
      "From its first prompt to its end.",
      histogramLines("troupe_job_run_seconds", run),
    ),
    ...family(
      "troupe_tokens_total",
      "counter",
      "Tokens that jobs have used.",
      tokenLabels.map(([kind, label]) => `troupe_tokens_total{kind="${label}"} ${usage[kind]}`),
    ),
    ...family("troupe_cost_dollars_total", "counter", "What jobs have cost, in US dollars.", [
      `troupe_cost_dollars_total ${usage.cost}`,
    ]),
    "",
  ].join("\n")
}

const tokenLabels = [
  ["input", "input"],
  ["output", "output"],
  ["reasoning", "reasoning"],
  ["cacheRead", "cache_read"],
  ["cacheWrite", "cache_write"],
] as const
const usageKinds = [...tokenLabels.map(([kind]) => kind), "cost"] as const

const family = (name: string, type: string, help: string, samples: string[]) => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
  ...samples,
]

function lines(
  name: string,
  label: string,
  values: readonly string[],
  counts: Map<string, number>,
): string[] {
  return values.map((value) => `${name}{${label}="${value}"} ${counts.get(value) ?? 0}`)
}

const newHistogram = (): Histogram => ({ counts: buckets.map(() => 0), sum: 0, count: 0 })

function observe(histogram: Histogram, ms: number): void {
  const seconds = Math.max(0, ms / 1_000)
  histogram.sum += seconds
  histogram.count++
  buckets.forEach((bound, index) => {
    if (seconds <= bound) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1
  })
}

function histogramLines(name: string, { counts, sum, count }: Histogram): string[] {
  return [
    ...buckets.map((bound, index) => `${name}_bucket{le="${bound}"} ${counts[index]}`),
    `${name}_bucket{le="+Inf"} ${count}`,
    `${name}_sum ${sum}`,
    `${name}_count ${count}`,
  ]
}
