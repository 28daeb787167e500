import type { JobView } from "../../feed/job-view.ts"
import { address, hrefTo } from "../model/address.ts"
import { cursor, isFocusDue } from "../model/cursor.ts"
import { counts, now } from "../model/jobs.ts"
import {
  foldAll,
  found,
  isFolded,
  type OwnerRow,
  type Row,
  rowKey,
  rowOf,
  rows,
  toggleFold,
  unfoldAll,
} from "../model/list.ts"
import {
  amount,
  doing,
  duration,
  keyOf,
  money,
  STATES,
  stateWords,
  timeOf,
  tokensOf,
} from "../model/words.ts"
import { Heading } from "../parts/heading.tsx"
import { JobLink } from "../parts/job-link.tsx"
import { StateBadge } from "../parts/state-badge.tsx"
import { VirtualRows } from "../parts/virtual-rows.tsx"
import { Words } from "../parts/words.tsx"

export function Jobs() {
  return (
    <main class="jobs">
      <div class="bar">
        <Heading>
          Jobs <span class="quiet">{found.value.length}</span>
        </Heading>
        <Chips />
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
      {found.value.length === 0 ? (
        <p class="empty">
          {address.value.q === ""
            ? "No jobs yet. Jobs appear here as soon as an agent starts them."
            : "No job matches this search."}
        </p>
      ) : (
        <VirtualRows
          label="Jobs"
          head={<Head />}
          rows={rows.value}
          keyOf={(row) => (row.kind === "owner" ? row.owner : keyOf(row.job))}
          isFocusDue={isFocusDue.value}
          onFocus={focused}
          render={(row) => <Cells row={row} />}
          current={rowOf(cursor.value)}
        />
      )}
    </main>
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
  return (
    <ul class="chips" aria-label="States">
      {STATES.map((state) => {
        const isOn = address.value.q === `state:${state}`
        return (
          <li key={state}>
            <a
              class={`chip is-${state}`}
              href={hrefTo({ q: isOn ? "" : `state:${state}` })}
              aria-current={isOn ? "true" : undefined}
            >
              <span aria-hidden="true" class="sign">
                {stateWords[state].sign}
              </span>{" "}
              {stateWords[state].word} {counts.value[state]}
            </a>
          </li>
        )
      })}
    </ul>
  )
}

const columns = ["Job", "State", "Activity", "Agent", "Time", "Tokens", "Cost"]

function Head() {
  return (
    <>
      {columns.map((name) => (
        <span key={name} role="columnheader">
          {name}
        </span>
      ))}
    </>
  )
}

function Cells({ row }: { row: Row }) {
  return row.kind === "owner" ? <OwnerCells row={row} /> : <JobCells job={row.job} depth={row.depth} />
}

function OwnerCells({ row }: { row: OwnerRow }) {
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
        <code>{row.owner}</code>
      </button>
      <span class="quiet">
        {row.jobs} {row.jobs === 1 ? "job" : "jobs"}
        {row.live > 0 ? `, ${row.live} live` : ""} · <Words text={row.project} />
      </span>
    </span>
  )
}

function JobCells({ job, depth }: { job: JobView; depth: number }) {
  return (
    <>
      <span role="cell" class={`name depth-${Math.min(depth, 4)}`}>
        <JobLink job={job} />
      </span>
      <span role="cell">
        <StateBadge job={job} />
      </span>
      <span role="cell" class="clip">
        <Words text={doing(job)} />
      </span>
      <span role="cell" class="clip">
        <Words text={job.agent} />
      </span>
      <span role="cell" class="number">
        {duration(timeOf(job, now.value))}
      </span>
      <span role="cell" class="number">
        {amount(tokensOf(job))}
      </span>
      <span role="cell" class="number">
        {money(job.usage.cost)}
      </span>
    </>
  )
}
