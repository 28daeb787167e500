import { computed, signal, useSignal } from "@preact/signals"
import { useEffect, useMemo, useRef } from "preact/hooks"
import type { JobView } from "../../feed/job-view.ts"
import { address, go, hrefTo, type Range, SPANS, type SpanName } from "../model/address.ts"
import { loadPhases } from "../model/api.ts"
import { inLine } from "../model/graph.ts"
import { findJob, now, projects, titles } from "../model/jobs.ts"
import {
  type Bar,
  concurrencyOf,
  type Line,
  linesOf,
  type Phases,
  type Spent,
  type Step,
  spentOf,
  ticksOf,
} from "../model/lanes.ts"
import { found } from "../model/list.ts"
import { type SpanKind, spanWords } from "../model/spans.ts"
import {
  addressOf,
  amount,
  clockTime,
  costWords,
  duration,
  isLive,
  signOf,
  stateWords,
} from "../model/words.ts"
import { Heading } from "../parts/heading.tsx"
import { useVisibleRows } from "../parts/visible-rows.ts"
import { Words } from "../parts/words.tsx"

/** Most jobs drawn: more could not be told apart. */
const most = 1_000
const spans: Record<SpanName, { words: string; ms: number }> = {
  "5m": { words: "5 m", ms: 5 * 60_000 },
  "1h": { words: "1 h", ms: 60 * 60_000 },
  all: { words: "all", ms: Number.POSITIVE_INFINITY },
}
/** How often it asks where jobs were, milliseconds. */
const phasesPace = 2_000
const isNarrow = matchMedia("(max-width: 640px)")
/** Shortest span that it is magnified to, milliseconds. */
const shortest = 1_000

/** It is drawn anew once a second, or every other: of the ten changes in a second a bar would not show one. */
const frame = computed(() => {
  const pace = spans[address.value.span].ms > 10 * 60_000 ? 2_000 : 1_000
  return Math.floor(now.value / pace) * pace
})
/** Few jobs are shown as they change, thousands once in a frame. */
const jobsInFrame = computed(() => {
  frame.value
  address.value.q
  projects.value
  return found.peek().length < 200 ? found.value : found.peek()
})

/** What it is being moved to. It comes into the address when that is over: browsers count how often that changes. */
const moving = signal<Range | undefined>(undefined)
let settling: ReturnType<typeof setTimeout> | undefined

function moveTo(range: Range): void {
  moving.value = range
  clearTimeout(settling)
  settling = setTimeout(settle, 200)
}

function settle(): void {
  const range = moving.peek()
  moving.value = undefined
  if (range && address.peek().view === "timeline") go({ range }, "replace")
}

export function Timeline() {
  frame.value
  const phases = usePhases()
  const end = now.peek()
  const all = jobsInFrame.value
  const { range, span } = address.value
  const seen = rangeOf(all, end, spans[span].ms, moving.value ?? range)
  const isIn = ({ createdAt, endedAt = end }: JobView) => endedAt >= seen.from && createdAt <= seen.to
  const inRange = all.filter(isIn)
  const jobs = inRange.slice(0, most)
  const limit = projects.value.reduce((sum, { concurrency }) => sum + concurrency, 0)
  const scale: Scale = (at) => ((at - seen.from) / (seen.to - seen.from)) * 100
  const ticks = ticksOf(seen.from, seen.to, isNarrow.matches ? 3 : 10)
  return (
    <main class="timeline">
      <div class="bar">
        <Heading>Timeline</Heading>
        <p class="quiet">
          {jobs.length > 0 && duration(seen.to - seen.from)}
          {all.length > jobs.length && `; ${jobs.length} of ${all.length} jobs`}
        </p>
        <Zoom seen={seen} />
        <Spans />
      </div>
      {jobs.length === 0 ? (
        <p class="empty">
          No jobs in this period.{" "}
          {all.length > 0 && <a href={hrefTo({ span: "all", range: undefined })}>Show all {all.length}</a>}
        </p>
      ) : (
        <div class="panel">
          <Concurrency
            steps={within(concurrencyOf(inRange, end, inLine), seen)}
            limit={limit}
            scale={scale}
          />
          <Legend />
          <Axis ticks={ticks} scale={scale} />
          <Lanes
            lines={linesOf(jobs, end, (seen.to - seen.from) / 400, inLine, phases)}
            seen={seen}
            scale={scale}
            ticks={ticks}
            end={end}
          />
          <Usage points={spentOf(inRange, end, seen.from, seen.to)} />
        </div>
      )}
    </main>
  )
}

/** Asked for while somebody looks at the timeline. */
function usePhases(): Phases {
  const phases = useSignal<Phases>({})
  useEffect(() => {
    const load = async () => {
      if (document.hidden) return
      // The header says when the connection is broken.
      const loaded = await loadPhases().catch(() => undefined)
      if (loaded) phases.value = loaded.phases
    }
    void load()
    const timer = setInterval(load, phasesPace)
    return () => clearInterval(timer)
  }, [phases])
  return phases.value
}

function rangeOf(jobs: readonly JobView[], end: number, ms: number, range: Range | undefined): Range {
  if (range) return range
  const isIn = ({ endedAt = end }: JobView) => endedAt >= end - ms
  const first = jobs.reduce((least, job) => (isIn(job) ? Math.min(least, job.createdAt) : least), end - 1_000)
  const last = jobs.reduce((latest, { endedAt = end }) => Math.max(latest, endedAt), 0)
  const from = Math.max(end - ms, first)
  const to = Math.max(from + 1_000, Math.min(end, last))
  // Beyond now there is room for the line that marks it.
  return { from, to: to < end ? to : to + (to - from) / 60 }
}

/** The steps in the range, and how it was when it began. */
function within(steps: Step[], { from, to }: Range): Step[] {
  const before = steps.findLast(({ at }) => at < from)
  const inside = thinned(
    steps.filter(({ at }) => at >= from && at <= to),
    (to - from) / 400,
  )
  const last = inside.at(-1) ?? before
  return [...(before ? [{ ...before, at: from }] : []), ...inside, ...(last ? [{ ...last, at: to }] : [])]
}

/** The highest step of each stretch: more could not be seen. */
function thinned(steps: readonly Step[], stretch: number): Step[] {
  const kept: Step[] = []
  for (const step of steps) {
    const last = kept.at(-1)
    const isNext = !last || Math.floor(step.at / stretch) > Math.floor(last.at / stretch)
    if (isNext) kept.push(step)
    else if (step.running + step.waiting >= last.running + last.waiting) kept[kept.length - 1] = step
  }
  return kept
}

/** Turns a moment into a percentage of the width. */
type Scale = (at: number) => number

function Spans() {
  const { span: current, range } = address.value
  return (
    <div class="switch" role="group" aria-label="Period">
      {SPANS.map((span) => (
        <a
          key={span}
          href={hrefTo({ span, range: undefined })}
          aria-current={range === undefined && current === span ? "true" : undefined}
        >
          {spans[span].words}
        </a>
      ))}
    </div>
  )
}

/** @param by smaller than 1 magnifies */
function zoomed({ from, to }: Range, by: number, around = (from + to) / 2): Range {
  const ms = Math.max(shortest, (to - from) * by)
  const start = around - ((around - from) / (to - from)) * ms
  return { from: start, to: start + ms }
}

function moved({ from, to }: Range, by: number): Range {
  return { from: from + by * (to - from), to: to + by * (to - from) }
}

function Zoom({ seen }: { seen: Range }) {
  const moves: [sign: string, name: string, range: Range][] = [
    ["←", "Earlier", moved(seen, -0.5)],
    ["→", "Later", moved(seen, 0.5)],
    ["+", "Zoom in", zoomed(seen, 0.5)],
    ["−", "Zoom out", zoomed(seen, 2)],
  ]
  return (
    <div class="zoom" role="group" aria-label="Zoom and pan">
      {moves.map(([sign, name, range]) => (
        <button
          key={name}
          type="button"
          class="small"
          aria-label={name}
          title={name}
          onClick={() => go({ range }, "replace")}
        >
          {sign}
        </button>
      ))}
    </div>
  )
}

const graphHeight = 90

/** How many jobs were running and waiting, and how many may run at once. */
function Concurrency({ steps, limit, scale }: { steps: Step[]; limit: number; scale: Scale }) {
  const peak = steps.reduce((most, { running }) => Math.max(most, running), 0)
  const queue = steps.reduce((most, { waiting }) => Math.max(most, waiting), 0)
  const top = Math.max(limit, ...steps.map(({ running, waiting }) => running + waiting)) * 1.1
  const y = (count: number) => graphHeight * (1 - count / top)
  const area = (countOf: (step: Step) => number) =>
    `M0 ${graphHeight} ${steps.map((step) => `H${scale(step.at)} V${y(countOf(step))}`).join(" ")} V${graphHeight} Z`
  const label = `At most ${peak} of ${limit} slots in use, at most ${queue} queued.`
  return (
    <figure>
      <figcaption>
        {label}
        <span class="legend">
          <span class="swatch is-run" /> running <span class="swatch is-queued" /> queued
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

const drawn: SpanKind[] = ["blocked", "queued", "run", "retry", "waiting"]

function Legend() {
  return (
    <p class="legend">
      {drawn.map((kind) => (
        <span key={kind}>
          <span class={`swatch is-${kind}`} /> {spanWords[kind]}
        </span>
      ))}
    </p>
  )
}

function Axis({ ticks, scale }: { ticks: number[]; scale: Scale }) {
  return (
    <p class="axis quiet" aria-hidden="true">
      {ticks.map((at) => (
        <span key={at} style={{ left: `${scale(at)}%` }}>
          {clockTime(at)}
        </span>
      ))}
    </p>
  )
}

/** Height of every line, pixels. */
const lineHeight = 27

type LanesProps = { lines: Line[]; seen: Range; scale: Scale; ticks: number[]; end: number }

/** Only the visible lines exist. */
function Lanes({ lines, seen, scale, ticks, end }: LanesProps) {
  const box = useRef<HTMLDivElement>(null)
  const [first, behind] = useVisibleRows(box, lineHeight)
  useHandling(box, seen)
  return (
    <div class="lanes-box" ref={box} tabIndex={0} role="region" aria-label="Jobs by owner">
      <ol class="lanes" style={{ height: `${lines.length * lineHeight}px` }}>
        {lines.slice(first, behind).map((line, offset) => {
          const style = { top: `${(first + offset) * lineHeight}px` }
          return line.kind === "heading" ? (
            <li key={`${line.owner}/${line.batch}`} class="lane-heading" style={style}>
              <LaneHeading owner={line.owner} batch={line.batch} bars={lines[first + offset + 1]} />
            </li>
          ) : (
            <li key={first + offset} style={style}>
              {line.bars.map((bar) => (
                <JobBar key={`${bar.job.owner}/${bar.job.id}`} bar={bar} scale={scale} end={end} />
              ))}
            </li>
          )
        })}
      </ol>
      <div class="gridlines" aria-hidden="true" style={{ height: `${lines.length * lineHeight}px` }}>
        {ticks.map((at) => (
          <span key={at} style={{ left: `${scale(at)}%` }} />
        ))}
        {end >= seen.from && end <= seen.to && <span class="is-now" style={{ left: `${scale(end)}%` }} />}
      </div>
    </div>
  )
}

/** Dragging moves it; the wheel magnifies with Ctrl, and moves it sideways. */
function useHandling(box: { current: HTMLDivElement | null }, seen: Range): void {
  const latest = useRef(seen)
  latest.current = seen
  useEffect(() => {
    const element = box.current
    if (!element) return
    const onWheel = (event: WheelEvent) => {
      const sideways = event.shiftKey ? event.deltaY : event.deltaX
      if (!event.ctrlKey && sideways === 0) return
      event.preventDefault()
      const { from, to } = latest.current
      const { left, width } = element.getBoundingClientRect()
      const around = from + ((event.clientX - left) / width) * (to - from)
      moveTo(
        event.ctrlKey
          ? zoomed(latest.current, event.deltaY > 0 ? 1.25 : 0.8, around)
          : moved(latest.current, sideways / width),
      )
    }
    const onDown = (event: PointerEvent) => {
      if (event.pointerType !== "mouse" || event.button !== 0) return
      if (event.target instanceof Element && event.target.closest("a")) return
      const [start, x] = [latest.current, event.clientX]
      const onMove = (moveEvent: PointerEvent) =>
        moveTo(moved(start, (x - moveEvent.clientX) / element.clientWidth))
      addEventListener("pointermove", onMove)
      addEventListener("pointerup", () => removeEventListener("pointermove", onMove), { once: true })
    }
    element.addEventListener("wheel", onWheel, { passive: false })
    element.addEventListener("pointerdown", onDown)
    return () => {
      element.removeEventListener("wheel", onWheel)
      element.removeEventListener("pointerdown", onDown)
    }
  }, [box])
}

function LaneHeading({ owner, batch, bars }: { owner: string; batch: string; bars: Line | undefined }) {
  const job = findJob(owner)
  const title = job ? `Started by ${job.id}: ${job.description}` : titles.value[owner]
  const startedAt = bars?.kind === "lane" ? bars.bars[0]?.from : undefined
  return (
    <>
      {title === undefined ? <code>{owner}</code> : <Words text={title} />}
      {batch !== "" && startedAt !== undefined && <span class="quiet"> batch of {clockTime(startedAt)}</span>}
    </>
  )
}

function JobBar({ bar: { job, from, to, parts }, scale, end }: { bar: Bar; scale: Scale; end: number }) {
  const { startedAt, createdAt } = job
  const since = inLine(job, end)
  const blocked = since > createdAt ? [`blocked ${duration(since - createdAt)}`] : []
  const waited = (until: number) => [...blocked, `waited ${duration(until - Math.min(since, until))}`]
  const ran = (
    job.isGroup
      ? [`stood for its jobs for ${duration(to - createdAt)}`]
      : startedAt === undefined
        ? [...waited(to), isLive(job) ? "not started yet" : "never started"]
        : [...waited(startedAt), `ran ${duration(to - startedAt)}`]
  ).join(", ")
  const label = `${job.id}: ${stateWords[job.state].word}, ${ran}`
  const left = Math.max(0, scale(from))
  const width = Math.min(100, scale(to)) - left
  const style = { left: `${left}%`, width: `${width}%` }
  // The same as before, most of the time.
  const pieces = useMemo(
    () =>
      parts.map(({ kind, from: start, to: stop }) => {
        const partLeft = Math.max(left, scale(start))
        const partStyle = {
          left: `${((partLeft - left) / Math.max(width, 0.001)) * 100}%`,
          width: `${((Math.min(100, scale(stop)) - partLeft) / Math.max(width, 0.001)) * 100}%`,
        }
        return <span key={`${kind} ${start}`} class={`part is-${kind}`} style={partStyle} />
      }),
    [job, job.endedAt === undefined ? end : 0, left, width, parts.length],
  )
  return (
    <a
      class={`is-${job.state}`}
      href={hrefTo({ job: addressOf(job) })}
      title={label}
      aria-label={label}
      style={style}
    >
      {pieces}
      <span class="label">
        {signOf(job)} {job.id} <Words text={job.description} />
      </span>
    </a>
  )
}

/** What all jobs shown had used, over time. */
function Usage({ points }: { points: Spent[] }) {
  const first = points[0]
  const last = points.at(-1)
  if (!first || !last) return null
  return (
    <div class="usage">
      <Grown name="Tokens" points={points.map(({ tokens }) => tokens - first.tokens)} words={amountWords} />
      <Grown
        name="Cost"
        points={points.map(({ cost }) => cost - first.cost)}
        words={(cost) => costWords({ cost, tokens: last.tokens - first.tokens })}
      />
    </div>
  )
}

const amountWords = (value: number) => amount(Math.round(value))

function Grown({ name, points, words }: { name: string; points: number[]; words(value: number): string }) {
  const top = Math.max(...points)
  const height = 50
  const y = (value: number) => height - (top === 0 ? 0 : (value / top) * (height - 4))
  const path = points
    .map((value, index) => `${(index / (points.length - 1)) * 100} ${y(value).toFixed(1)}`)
    .join(" L")
  const label = `${name} in this period: ${words(top)}`
  return (
    <figure>
      <figcaption>{label}</figcaption>
      <svg
        role="img"
        aria-label={label}
        viewBox={`0 0 100 ${height}`}
        height={height}
        preserveAspectRatio="none"
      >
        <path d={`M${path} L100 ${height} L0 ${height} Z`} />
      </svg>
    </figure>
  )
}
