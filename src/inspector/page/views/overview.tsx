import type { ComponentChildren } from "preact"
import { useEffect } from "preact/hooks"
import type { JobView } from "../../feed/job-view.ts"
import { hrefTo } from "../model/address.ts"
import { lookForAnswer } from "../model/answers.ts"
import { allJobs, asking, counts, held, now, projects, slotsOf, slow, waitingJobs } from "../model/jobs.ts"
import {
  amount,
  costWords,
  duration,
  STATES,
  stateWords,
  timeOf,
  tokensOf,
  untilWords,
  waitOf,
} from "../model/words.ts"
import { Heading } from "../parts/heading.tsx"
import { JobLink } from "../parts/job-link.tsx"
import { Note } from "../parts/note.tsx"
import { StateBadge } from "../parts/state-badge.tsx"
import { Words } from "../parts/words.tsx"

const isRunning = ({ state }: JobView) => state === "prompting"
const isQueued = ({ state }: JobView) => state === "created"

/** Most jobs in each list: the rest is one click away. */
const most = 8

export function Overview() {
  const inNeed = new Set([...asking.value, ...slow.value].map(({ job }) => job))
  const jobs = allJobs.value.filter((job) => !inNeed.has(job))
  const running = [...jobs.filter(isRunning), ...jobs.filter(isQueued).reverse()]
  const ended = latestEnded(jobs)
  const latest = ended.map((job) => `${job.owner}/${job.id} ${job.run}`).join()
  useEffect(() => ended.forEach(lookForAnswer), [latest])
  return (
    <main class="overview">
      <Heading isHidden>Overview</Heading>
      <Counts />
      <WaitingForYou />
      <Slow />
      <OnHold />
      <div class="columns">
        <section aria-labelledby="running" class="panel">
          <h2 id="running">Running and queued</h2>
          {running.length === 0 && (
            <p class="empty">
              {inNeed.size > 0
                ? "Nothing else is running."
                : "Nothing is running. Jobs appear here as soon as an agent starts them."}
            </p>
          )}
          <ul class="cards">
            {running.slice(0, most).map((job) => (
              <Card key={`${job.owner}/${job.id}`} job={job} note={<Note job={job} />} />
            ))}
          </ul>
          {running.length > most && (
            <a href={hrefTo({ view: "jobs", q: "state:created,prompting" })}>Show all {running.length}</a>
          )}
        </section>
        <section aria-labelledby="ended" class="panel">
          <h2 id="ended">Recently ended</h2>
          {ended.length === 0 && <p class="empty">No job has ended yet.</p>}
          <ul class="cards">
            {ended.map((job) => (
              <Card key={`${job.owner}/${job.id}`} job={job} note={<Note job={job} />} />
            ))}
          </ul>
        </section>
      </div>
    </main>
  )
}

/** Without sorting all: it is asked for with every change. */
function latestEnded(jobs: readonly JobView[]): JobView[] {
  const latest: JobView[] = []
  for (const job of jobs) {
    const { endedAt } = job
    if (endedAt === undefined || endedAt <= (latest[most - 1]?.endedAt ?? 0)) continue
    const at = latest.findIndex((other) => (other.endedAt ?? 0) < endedAt)
    latest.splice(at < 0 ? latest.length : at, 0, job)
    latest.length = Math.min(latest.length, most)
  }
  return latest
}

function Counts() {
  const tokens = allJobs.value.reduce((sum, job) => sum + tokensOf(job), 0)
  const cost = allJobs.value.reduce((sum, { usage }) => sum + usage.cost, 0)
  return (
    <section aria-label="Numbers" class="numbers">
      <ul class="tiles">
        {STATES.map((state) => (
          <li key={state}>
            <a class={`tile is-${state}`} href={hrefTo({ view: "jobs", q: `state:${state}` })}>
              <strong>{counts.value[state]}</strong>
              <span>
                <span aria-hidden="true" class="sign">
                  {stateWords[state].sign}
                </span>{" "}
                {stateWords[state].word}
              </span>
            </a>
          </li>
        ))}
      </ul>
      <dl class="facts">
        <Slots />
        <Waiting />
        <div>
          <dt>tokens</dt>
          <dd>{amount(tokens)}</dd>
        </div>
        <div>
          <dt>cost</dt>
          <dd>{costWords({ tokens, cost })}</dd>
        </div>
        <div>
          <dt>{projects.value.length === 1 ? "project" : "projects"}</dt>
          <dd class="paths">{projects.value.map(({ name }) => name).join(", ")}</dd>
        </div>
      </dl>
    </section>
  )
}

function Slots() {
  const all = slotsOf.value
  return all.map(({ name, busy, concurrency }) => {
    const words = all.length === 1 ? "slots in use" : `slots in use in ${name}`
    return (
      <div key={name}>
        <dt>{words}</dt>
        <dd>
          <meter min={0} max={concurrency} value={Math.min(busy, concurrency)} aria-label={words} />
          {busy} of {concurrency}
        </dd>
      </div>
    )
  })
}

/** Not all that wait for a slot would get one sooner with more of them. */
function Waiting() {
  const { queued, held, blocked } = waitingJobs.value
  if (queued + held + blocked === 0) return null
  const way = (count: number, phase: string, words: string) =>
    count > 0 && <a href={hrefTo({ view: "jobs", q: `phase:${phase}` })}>{`${count} for ${words}`}</a>
  return (
    <div>
      <dt>waiting</dt>
      <dd>
        {way(queued, "queued", "a slot")}
        {way(held, "held", "their provider")}
        {way(blocked, "blocked", "other jobs")}
      </dd>
    </div>
  )
}

/** The providers that want to be asked later: none of their jobs starts before then. */
function OnHold() {
  if (held.value.length === 0) return null
  return (
    <section aria-labelledby="held" class="panel">
      <h2 id="held">On hold</h2>
      <ul class="held">
        {held.value.map(({ provider, until, jobs }) => (
          <li key={provider}>
            <strong>
              <Words text={provider} />
            </strong>{" "}
            {untilWords(until, now.value)}:{" "}
            <a class="need" href={hrefTo({ view: "jobs", q: `phase:held model:"${provider}/"` })}>
              {jobs === 1 ? "1 job waits" : `${jobs} jobs wait`}
            </a>
          </li>
        ))}
      </ul>
      <p class="quiet">The provider wants to be asked later. The jobs of others go on.</p>
    </section>
  )
}

function WaitingForYou() {
  if (asking.value.length === 0) return <p class="all-well">✓ Nothing is waiting for you.</p>
  return (
    <section aria-labelledby="asking" class="panel is-asking">
      <h2 id="asking">Waiting for you</h2>
      <ul class="cards">
        {asking.value.map(({ job, need }) => (
          <Card
            key={`${job.owner}/${job.id}`}
            job={job}
            note={<Words text={need} />}
            time={waitOf(job, now.value)}
          />
        ))}
      </ul>
    </section>
  )
}

function Slow() {
  if (slow.value.length === 0) return null
  return (
    <section aria-labelledby="slow" class="panel">
      <h2 id="slow">Slow or retrying</h2>
      <ul class="cards">
        {slow.value.map(({ job, need }) => (
          <Card key={`${job.owner}/${job.id}`} job={job} note={<Words text={need} />} />
        ))}
      </ul>
    </section>
  )
}

/** @param time what stands in the place of the time that the job took. */
function Card({ job, note, time }: { job: JobView; note: ComponentChildren; time?: string | undefined }) {
  return (
    <li class="card">
      <StateBadge job={job} />
      <div>
        <JobLink job={job} />
        <p class="clip">{note}</p>
      </div>
      <span class="quiet">{time ?? duration(timeOf(job, now.value))}</span>
    </li>
  )
}
