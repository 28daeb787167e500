import { useEffect } from "preact/hooks"
import type { JobView } from "../../feed/job-view.ts"
import type { SpendingAnswer } from "../../http/api.ts"
import { type Address, address, go, hrefTo, type SortName } from "../model/address.ts"
import { lookForAnswer } from "../model/answers.ts"
import { cursor, isFocusDue } from "../model/cursor.ts"
import { budgetOf, now, titles } from "../model/jobs.ts"
import {
  type BatchRow,
  countFound,
  countsFound,
  foldAll,
  found,
  idleFound,
  isFolded,
  type OwnerRow,
  type Row,
  rowKey,
  rowOf,
  rows,
  type Sums,
  toggleFold,
  unfoldAll,
  waitingFound,
  waitingPhases,
} from "../model/list.ts"
import { hasValues, toggled, valuesOf } from "../model/terms.ts"
import { liveIn } from "../model/tree.ts"
import {
  amount,
  clockTime,
  costWords,
  duration,
  holdSign,
  keyOf,
  STATES,
  signOf,
  stateWords,
  timeOf,
  tokensOf,
  waitOf,
} from "../model/words.ts"
import { Budget } from "../parts/budget.tsx"
import { Heading } from "../parts/heading.tsx"
import { JobLink } from "../parts/job-link.tsx"
import { Note } from "../parts/note.tsx"
import { OwnerActions, OwnerDialog } from "../parts/owner-actions.tsx"
import { StateBadge } from "../parts/state-badge.tsx"
import { VirtualRows } from "../parts/virtual-rows.tsx"
import { Words } from "../parts/words.tsx"

export function Jobs() {
  return (
    <main class="jobs">
      <div class="bar">
        <Heading>
          Jobs <span class="quiet">{countFound.value}</span>
        </Heading>
        <Chips />
        <div class="shape">
          {address.value.list === "tree" && found.value.length > 0 && <FoldAll />}
          <div class="switch" role="group" aria-label="Grouping">
            {(["tree", "flat"] as const).map((list) => (
              <a
                key={list}
                href={hrefTo({ list })}
                aria-current={address.value.list === list ? "true" : undefined}
              >
                {list === "tree" ? "By owner" : "Flat"}
              </a>
            ))}
          </div>
        </div>
      </div>
      {found.value.length === 0 ? (
        <NothingFound q={address.value.q} />
      ) : (
        <VirtualRows
          label="Jobs"
          head={<Head />}
          rows={rows.value}
          choice={[address.value.q, address.value.sort, address.value.isDescending].join(" ")}
          keyOf={(row) => (row.kind === "job" ? keyOf(row.job) : rowKey(row))}
          isFocusDue={isFocusDue.value}
          onFocus={focused}
          render={(row) => <Cells row={row} />}
          current={rowOf(cursor.value)}
        />
      )}
      <OwnerDialog />
    </main>
  )
}

function NothingFound({ q }: { q: string }) {
  if (q === "") return <p class="empty">No jobs yet. Jobs appear here as soon as an agent starts them.</p>
  const names = STATES.map((state) => state.toLowerCase())
  const unknown = valuesOf(q, "state").filter((value) => !names.includes(value))
  return (
    <>
      <p class="empty">
        No job matches this search.
        {unknown.length > 0 && (
          <>
            {" "}
            There is no state <Words text={unknown.join(", ")} />: there are {STATES.join(", ")}.
          </>
        )}
      </p>
      <p>
        <button type="button" onClick={() => go({ q: "" })}>
          Clear the search
        </button>
      </p>
    </>
  )
}

function focused(row: Row): void {
  // The cursor has moved on since this row was drawn: the focus follows the cursor, not the other way round.
  if (isFocusDue.value && rowKey(row) !== cursor.value) return
  cursor.value = rowKey(row)
  isFocusDue.value = false
}

function FoldAll() {
  const isAnyOpen = rows.value.some(({ kind }) => kind === "job")
  return (
    <button type="button" class="small" onClick={isAnyOpen ? foldAll : unfoldAll}>
      {isAnyOpen ? "Collapse all" : "Expand all"}
    </button>
  )
}

function Chips() {
  const { q } = address.value
  return (
    <ul class="chips" aria-label="States">
      {STATES.map((state) => (
        <Chip
          key={state}
          tone={`is-${state}`}
          href={hrefTo({ q: toggled(q, "state", [state]) })}
          isOn={hasValues(q, "state", [state])}
          sign={stateWords[state].sign}
          words={`${stateWords[state].word} ${countsFound.value[state]}`}
        />
      ))}
      {idle.map(({ phase, word, sign }) => {
        const count = idleFound.value[phase]
        const isOn = hasValues(q, "phase", [phase])
        return (
          (count > 0 || isOn) && (
            <Chip
              key={phase}
              tone={`is-${phase}`}
              href={hrefTo({ q: toggled(q, "phase", [phase]) })}
              isOn={isOn}
              sign={sign}
              words={`${word} ${count}`}
            />
          )
        )
      })}
      <Chip
        tone="is-needy"
        href={hrefTo({ q: toggled(q, "phase", waitingPhases) })}
        isOn={hasValues(q, "phase", waitingPhases)}
        sign="!"
        words={`waits for you ${waitingFound.value}`}
      />
    </ul>
  )
}

const idle = [
  { phase: "queued", word: "queued", sign: signOf({ state: "created", phase: "queued" }) },
  { phase: "held", word: "on hold", sign: holdSign },
  { phase: "blocked", word: "blocked", sign: signOf({ state: "created", phase: "blocked" }) },
] as const

type ChipProps = { tone: string; href: string; isOn: boolean; sign: string; words: string }

function Chip({ tone, href, isOn, sign, words }: ChipProps) {
  return (
    <li>
      <a class={`chip ${tone}`} href={href} aria-current={isOn ? "true" : undefined}>
        <span aria-hidden="true" class="sign">
          {sign}
        </span>{" "}
        {words}
      </a>
    </li>
  )
}

/** Numbers begin with the largest. */
const columns: { name: string; sort?: SortName; isNumber?: boolean }[] = [
  { name: "Job", sort: "job" },
  { name: "State", sort: "state" },
  { name: "Activity" },
  { name: "Agent", sort: "agent" },
  { name: "Time", sort: "time", isNumber: true },
  { name: "Tokens", sort: "tokens", isNumber: true },
  { name: "Cost", sort: "cost", isNumber: true },
]

function Head() {
  const { sort: current, isDescending } = address.value
  return (
    <>
      {columns.map(({ name, sort, isNumber = false }) => {
        const isCurrent = sort !== undefined && sort === current
        const direction = isDescending ? "descending" : "ascending"
        // The third click goes back to the newest first.
        const next: Partial<Address> = !isCurrent
          ? { sort: sort ?? "", isDescending: isNumber }
          : isDescending === isNumber
            ? { isDescending: !isNumber }
            : { sort: "", isDescending: false }
        return (
          <span key={name} role="columnheader" aria-sort={isCurrent ? direction : undefined}>
            {sort === undefined ? (
              name
            ) : (
              <a href={hrefTo(next)}>
                {name}
                {isCurrent && <span aria-hidden="true">{isDescending ? " ↓" : " ↑"}</span>}
              </a>
            )}
          </span>
        )
      })}
    </>
  )
}

function Cells({ row }: { row: Row }) {
  switch (row.kind) {
    case "owner":
      return <OwnerCells row={row} />
    case "batch":
      return <BatchCells row={row} />
    case "job":
      return <JobCells job={row.job} depth={row.depth} />
  }
}

function OwnerCells({ row }: { row: OwnerRow }) {
  const title = titles.value[row.owner]
  const only = row.onlyBatch === undefined ? undefined : budgetOf("batch", row.onlyBatch)
  const budgets = [only, budgetOf("owner", row.owner)].filter((budget) => budget !== undefined)
  return (
    <span role="cell" class="owner" aria-colspan={columns.length}>
      <button
        type="button"
        class="fold"
        aria-expanded={!isFolded(row.owner)}
        onClick={() => toggleFold(row.owner)}
      >
        <span aria-hidden="true" class="sign" />
        <span class="hidden">Jobs of </span>
        <span class="clip">{title === undefined ? <code>{row.owner}</code> : <Words text={title} />}</span>
      </button>
      <Progress row={row} what={`Jobs of ${title ?? row.owner} that have ended`} />
      <CountWords row={row} />
      {budgets.map((budget) => (
        <Budget key={budget.name} budget={budget} />
      ))}
      <span class="quiet sums">
        {sumWords(row, budgets)} {title !== undefined && <code>{row.owner}</code>}{" "}
        <Words text={row.project} />
      </span>
      <OwnerActions row={row} />
    </span>
  )
}

function BatchCells({ row }: { row: BatchRow }) {
  const budget = budgetOf("batch", row.batch)
  return (
    <span role="cell" class="owner batch" aria-colspan={columns.length}>
      <span>Batch of {clockTime(row.startedAt)}</span>
      <Progress row={row} what="Jobs of this batch that have ended" />
      <CountWords row={row} />
      {budget && <Budget budget={budget} />}
      <span class="quiet sums">{sumWords(row, budget ? [budget] : [])}</span>
      <OwnerActions row={row} />
    </span>
  )
}

/** Without what stands in a budget beside it, which counts more: all that the jobs have started. */
function sumWords(row: Sums, budgets: readonly SpendingAnswer[]): string {
  const isLimited = (what: "tokens" | "cost") => budgets.some(({ limit }) => limit[what] !== undefined)
  return [
    ...(isLimited("tokens") ? [] : [`${amount(row.tokens)} tokens`]),
    ...(isLimited("cost") ? [] : [costWords(row)]),
  ].join(" · ")
}

const endStates = ["done", "failed", "timedOut", "cancelled"] as const

/** How many have ended, and how. */
function Progress({ row, what }: { row: Sums; what: string }) {
  const { jobs, states } = row
  const ended = jobs - liveIn(row)
  const how = endStates.flatMap((state) =>
    states[state] > 0 ? [`${states[state]} ${stateWords[state].word}`] : [],
  )
  const words = [`${ended} of ${jobs} have ended`, ...how].join(", ")
  return (
    <span
      role="progressbar"
      class="progress"
      aria-valuenow={ended}
      aria-valuemin={0}
      aria-valuemax={Math.max(1, jobs)}
      aria-valuetext={words}
      aria-label={what}
      title={words}
    >
      {endStates.map((state) => (
        <span
          key={state}
          class={`is-${state}`}
          style={{ width: `${(states[state] / Math.max(1, jobs)) * 100}%` }}
        />
      ))}
    </span>
  )
}

function CountWords({ row }: { row: Sums }) {
  const { jobs, states } = row
  const live = liveIn(row)
  const parts = [
    `${jobs} ${jobs === 1 ? "job" : "jobs"}`,
    ...(live > 0 ? [`${live} live`] : []),
    ...(states.failed > 0 ? [`${states.failed} failed`] : []),
    ...(states.timedOut > 0 ? [`${states.timedOut} timed out`] : []),
  ]
  return <span class="quiet counts">{parts.join(", ")}</span>
}

/** How long a row must have been there before its answer is read: most rows are scrolled past. Milliseconds. */
const glance = 150

function JobCells({ job, depth }: { job: JobView; depth: number }) {
  useEffect(() => {
    const timer = setTimeout(() => lookForAnswer(job), glance)
    return () => clearTimeout(timer)
  }, [job])
  const waits = waitOf(job, now.value)
  return (
    <>
      <span role="cell" class={`name depth-${Math.min(depth, 4)}`}>
        <JobLink job={job} />
      </span>
      <span role="cell" class="at-state">
        <StateBadge job={job} />
      </span>
      <span role="cell" class="clip at-activity">
        <Note job={job} />
      </span>
      <span role="cell" class="clip at-agent">
        <Words text={job.agent} />
      </span>
      <span role="cell" class={waits === undefined ? "number at-time" : "number at-time waits"} title={waits}>
        {waits === undefined ? duration(timeOf(job, now.value)) : <Waited job={job} />}
      </span>
      <span role="cell" class="number at-tokens">
        {amount(tokensOf(job))}
      </span>
      <span role="cell" class="number at-cost">
        {costWords({ tokens: tokensOf(job), cost: job.usage.cost })}
      </span>
    </>
  )
}

/** For a job that waits, how long it has waited counts, and not how long it has worked. */
function Waited({ job }: { job: JobView }) {
  return (
    <>
      <span aria-hidden="true">! </span>
      <span class="hidden">waiting </span>
      {duration(now.value - (job.waitingSince ?? now.value))}
    </>
  )
}
