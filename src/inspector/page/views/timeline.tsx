import { address, hrefTo, SPANS, type SpanName } from "../model/address.ts"
import { now, projects } from "../model/jobs.ts"
import { type Bar, concurrencyOf, lanesOf, type Step } from "../model/lanes.ts"
import { found } from "../model/list.ts"
import { addressOf, clockTime, duration, stateWords } from "../model/words.ts"
import { Heading } from "../parts/heading.tsx"
import { Words } from "../parts/words.tsx"

/** Most jobs drawn: more could not be told apart, and each is an element. */
const most = 600
const spans: Record<SpanName, { words: string; ms: number }> = {
  "5m": { words: "5 min", ms: 5 * 60_000 },
  "1h": { words: "1 h", ms: 60 * 60_000 },
  all: { words: "all", ms: Number.POSITIVE_INFINITY },
}

export function Timeline() {
  const end = now.value
  const span = spans[address.value.span].ms
  const jobs = found.value.filter(({ endedAt = end }) => endedAt >= end - span).slice(0, most)
  const start = Math.max(end - span, Math.min(end - 1_000, ...jobs.map(({ createdAt }) => createdAt)))
  const last = Math.max(start + 1_000, ...jobs.map(({ endedAt = end }) => endedAt))
  const scale: Scale = (at) => (Math.max(0, at - start) / (last - start)) * 100
  const limit = projects.value.reduce((sum, { concurrency }) => sum + concurrency, 0)
  return (
    <main class="timeline">
      <div class="bar">
        <Heading>Timeline</Heading>
        <p class="quiet">
          {jobs.length > 0 && duration(last - start)}
          {found.value.length > jobs.length && `; the latest ${jobs.length} of ${found.value.length} jobs`}
        </p>
        <Spans />
      </div>
      {jobs.length === 0 ? (
        <p class="empty">
          No jobs in this period.{" "}
          {found.value.length > 0 && <a href={hrefTo({ span: "all" })}>Show all {found.value.length}</a>}
        </p>
      ) : (
        <div class="panel">
          <Concurrency steps={concurrencyOf(jobs, end)} limit={limit} scale={scale} />
          <Lanes lanes={lanesOf(jobs, end)} scale={scale} />
          <p class="axis quiet" aria-hidden="true">
            {[0, 0.25, 0.5, 0.75, 1].map((part) => (
              <span key={part}>{clockTime(start + part * (last - start))}</span>
            ))}
          </p>
        </div>
      )}
    </main>
  )
}

/** Turns a moment into a percentage of the width. */
type Scale = (at: number) => number

function Spans() {
  return (
    <div class="switch" role="group" aria-label="Period">
      {SPANS.map((span) => (
        <a key={span} href={hrefTo({ span })} aria-current={address.value.span === span ? "true" : undefined}>
          {spans[span].words}
        </a>
      ))}
    </div>
  )
}

const graphHeight = 110

/** How many jobs were running and waiting, and how many may run at once. */
function Concurrency({ steps, limit, scale }: { steps: Step[]; limit: number; scale: Scale }) {
  const peak = Math.max(...steps.map(({ running }) => running))
  const queue = Math.max(...steps.map(({ waiting }) => waiting))
  const top = Math.max(limit, ...steps.map(({ running, waiting }) => running + waiting)) * 1.1
  const y = (count: number) => graphHeight * (1 - count / top)
  const area = (countOf: (step: Step) => number) =>
    `M0 ${graphHeight} ${steps.map((step) => `H${scale(step.at)} V${y(countOf(step))}`).join(" ")} V${graphHeight} Z`
  const label = `At most ${peak} of ${limit} slots in use, at most ${queue} waiting.`
  return (
    <figure>
      <figcaption>
        {label}
        <span class="legend">
          <span class="swatch is-run" /> running <span class="swatch is-queued" /> waiting
          <span class="swatch dashed" /> limit
        </span>
      </figcaption>
      <svg
        class="concurrency"
        role="img"
        aria-label={label}
        viewBox={`0 0 100 ${graphHeight}`}
        height={graphHeight}
        preserveAspectRatio="none"
      >
        <path class="waiting" d={area(({ running, waiting }) => running + waiting)} />
        <path class="running" d={area(({ running }) => running)} />
        <line class="limit" x1={0} x2={100} y1={y(limit)} y2={y(limit)} />
      </svg>
    </figure>
  )
}

function Lanes({ lanes, scale }: { lanes: Bar[][]; scale: Scale }) {
  return (
    <ol class="lanes" aria-label="Jobs by slot">
      {lanes.map((lane, index) => (
        <li key={index}>
          {lane.map((bar) => (
            <JobBar key={`${bar.job.owner}/${bar.job.id}`} bar={bar} scale={scale} />
          ))}
        </li>
      ))}
    </ol>
  )
}

function JobBar({ bar: { job, from, to }, scale }: { bar: Bar; scale: Scale }) {
  const { sign, word } = stateWords[job.state]
  const label = `${job.id}: ${word}, waited ${duration(from - job.createdAt)}, ran ${duration(to - from)}`
  return (
    <a
      class={`is-${job.state}`}
      href={hrefTo({ job: addressOf(job) })}
      title={label}
      aria-label={label}
      style={{ left: `${scale(from)}%`, width: `${scale(to) - scale(from)}%` }}
    >
      {sign} {job.id} <Words text={job.description} />
    </a>
  )
}
