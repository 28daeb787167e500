import type { JobView } from "../../job-view.ts"
import { address, hrefTo } from "../model/address.ts"
import { cursor } from "../model/cursor.ts"
import { counts, now } from "../model/jobs.ts"
import { found, type OwnerRow, type Row, rowOf, rows } from "../model/list.ts"
import { amount, doing, duration, keyOf, money, STATES, stateWords, tokensOf } from "../model/words.ts"
import { JobLink } from "../parts/job-link.tsx"
import { StateBadge } from "../parts/state-badge.tsx"
import { VirtualRows } from "../parts/virtual-rows.tsx"

export function Jobs() {
  return (
    <main class="jobs">
      <div class="bar">
        <h1>
          Jobs <span class="quiet">{found.value.length}</span>
        </h1>
        <Chips />
        <div class="switch" role="group" aria-label="Order">
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
        <p class="empty">{address.value.q === "" ? "No jobs yet." : "No job matches this search."}</p>
      ) : (
        <VirtualRows
          label="Jobs"
          head={<Head />}
          rows={rows.value}
          keyOf={(row) => (row.kind === "owner" ? row.owner : keyOf(row.job))}
          render={(row) => <Cells row={row} />}
          current={rowOf(cursor.value)}
        />
      )}
    </main>
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

const columns = ["Job", "State", "Does now", "Agent", "Age", "Tokens", "Cost"]

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
      <code>{row.owner}</code>
      <span class="quiet">
        {row.jobs} {row.jobs === 1 ? "job" : "jobs"}
        {row.live > 0 ? `, ${row.live} live` : ""} · <bdi>{row.project}</bdi>
      </span>
    </span>
  )
}

function JobCells({ job, depth }: { job: JobView; depth: number }) {
  const end = job.endedAt ?? now.value
  return (
    <>
      <span role="cell" class={`name depth-${Math.min(depth, 4)}`}>
        <JobLink job={job} />
      </span>
      <span role="cell">
        <StateBadge job={job} />
      </span>
      <span role="cell" class="clip">
        <bdi>{doing(job)}</bdi>
      </span>
      <span role="cell" class="clip">
        <bdi>{job.agent}</bdi>
      </span>
      <span role="cell" class="number">
        {duration(end - (job.startedAt ?? job.createdAt))}
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
