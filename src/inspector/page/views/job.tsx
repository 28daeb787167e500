import { useSignal } from "@preact/signals"
import type { ComponentChildren } from "preact"
import { useEffect } from "preact/hooks"
import type { JobView } from "../../feed/job-view.ts"
import type { JobAnswer } from "../../http/api.ts"
import { hrefTo } from "../model/address.ts"
import { followJob } from "../model/followed-job.ts"
import { now, titles } from "../model/jobs.ts"
import { neighbourJob } from "../model/list.ts"
import { adviceOf, hasQuestion, helpFor, needOf } from "../model/needs.ts"
import { addressOf, amount, costWords, dateTime, duration, errorWords, tokensOf } from "../model/words.ts"
import { Conversation } from "../parts/conversation.tsx"
import { Files } from "../parts/files.tsx"
import { Heading } from "../parts/heading.tsx"
import { History } from "../parts/history.tsx"
import { JobActions } from "../parts/job-actions.tsx"
import { Requests } from "../parts/requests.tsx"
import { StateBadge } from "../parts/state-badge.tsx"
import { Statechart } from "../parts/statechart.tsx"
import { Waterfall } from "../parts/waterfall.tsx"
import { Words } from "../parts/words.tsx"

export function Job({ address }: { address: string }) {
  const { job, problem } = useJob(address)
  const chosen = useSignal<number | undefined>(undefined)
  if (!job)
    return (
      <main class="job">
        <Ways address={address} />
        {problem !== "" && (
          <Heading>
            <Words text={problem} />
          </Heading>
        )}
      </main>
    )
  const place = job.phase === undefined ? job.state : `${job.state}.${job.phase}`
  return (
    <main class="job">
      <Ways address={address} owner={job.owner} />
      <div class="title">
        <StateBadge job={job} />
        <Heading>
          <code>{job.id}</code> <Words text={job.description} />
        </Heading>
        <JobActions job={job} />
      </div>
      {problem !== "" && (
        <p class="reason is-failed" role="alert">
          This may be out of date. <Words text={problem} />
        </p>
      )}
      <Reason job={job} />
      <Requests job={job} />
      <div class="work">
        <Section id="conversation" title="Conversation">
          <Conversation address={address} job={job} />
        </Section>
        <div class="stack">
          <Folding id="details" title="Details">
            <Details job={job} />
          </Folding>
          <Folding id="time" title="Time">
            <Waterfall job={job} />
          </Folding>
        </div>
      </div>
      <Folding id="files" title="Files">
        <Files address={address} job={job} />
      </Folding>
      <Folding id="chart" title="State">
        <Statechart place={place} steps={job.history} chosen={chosen.value} />
      </Folding>
      <Folding id="history" title="History">
        <History
          steps={job.history}
          chosen={chosen.value}
          onChoose={(index) => {
            chosen.value = index
          }}
        />
      </Folding>
    </main>
  )
}

function useJob(address: string): { job: JobAnswer | undefined; problem: string } {
  const job = useSignal<JobAnswer | undefined>(undefined)
  const problem = useSignal("")
  useEffect(
    () =>
      followJob(address, (loaded, why) => {
        job.value = loaded
        problem.value = why
      }),
    [address, job, problem],
  )
  return { job: job.value, problem: problem.value }
}

/** To the view behind it, to the jobs before and after it in the list, and to those of its owner. */
function Ways({ address, owner }: { address: string; owner?: string }) {
  const before = neighbourJob(address, -1)
  const after = neighbourJob(address, 1)
  const way = (job: JobView | undefined, words: string, key: string) =>
    job &&
    addressOf(job) !== address && (
      <a href={hrefTo({ job: addressOf(job) })} title={`${job.id} (key ${key})`}>
        {words}
      </a>
    )
  return (
    <nav class="ways" aria-label="From this job">
      <a href={hrefTo({ job: "" })}>← back</a>
      {way(before, "↑ previous", "k")}
      {way(after, "↓ next", "j")}
      {owner !== undefined && (
        <a class="clip" href={hrefTo({ job: "", view: "jobs", q: `owner:${owner}` })}>
          all jobs of <Words text={titles.value[owner] ?? owner} />
        </a>
      )}
    </nav>
  )
}

function Section({ id, title, children }: { id: string; title: string; children: ComponentChildren }) {
  return (
    <section aria-labelledby={`${id}-title`} class={`panel at-${id}`}>
      <h2 id={`${id}-title`}>{title}</h2>
      {children}
    </section>
  )
}

/** Where there is little room, the work comes first, and what is behind it when it is asked for. */
function Folding({ id, title, children }: { id: string; title: string; children: ComponentChildren }) {
  const isOpen = useSignal(matchMedia("(min-width: 1001px)").matches)
  return (
    <section aria-labelledby={`${id}-title`} class={`panel at-${id}`}>
      <details open={isOpen.value} onToggle={({ currentTarget }) => (isOpen.value = currentTarget.open)}>
        <summary>
          <h2 id={`${id}-title`}>{title}</h2>
        </summary>
        {isOpen.value && children}
      </details>
    </section>
  )
}

/** What matters most about the job now. */
function Reason({ job }: { job: JobAnswer }) {
  if (job.error)
    return (
      <div class={`reason is-${job.state}`}>
        <strong>
          <Words text={errorWords(job.error)} />
        </strong>{" "}
        <code>{job.error.kind}</code>
        <p>{adviceOf(job.error.kind)}</p>
      </div>
    )
  const need = needOf(job, now.value)
  if (need === undefined || hasQuestion(job)) return null
  return (
    <div class="reason is-needy">
      <strong>
        <Words text={need} />
      </strong>
      <p>{helpFor(job)}</p>
    </div>
  )
}

function Details({ job }: { job: JobAnswer }) {
  const { usage } = job
  const details: [string, string | undefined][] = [
    ["agent", job.agent],
    ["model", job.model ?? "chosen by opencode"],
    ["run", String(job.run)],
    ["created", dateTime(job.createdAt)],
    ["started", job.startedAt === undefined ? undefined : dateTime(job.startedAt)],
    ["ended", job.endedAt === undefined ? undefined : dateTime(job.endedAt)],
    ["waited for people", job.waitedMs ? duration(job.waitedMs) : undefined],
    ["time left", job.deadlineAt === undefined ? undefined : duration(job.deadlineAt - now.value)],
    ["next attempt", job.retry && `in ${duration(job.retry.next - now.value)}`],
    ["tokens in / out", `${amount(usage.input)} / ${amount(usage.output)}`],
    ["reasoning", amount(usage.reasoning)],
    ["cache read / write", `${amount(usage.cacheRead)} / ${amount(usage.cacheWrite)}`],
    ["cost", costWords({ tokens: tokensOf(job), cost: usage.cost })],
    ["session", job.session || "none"],
    ["owner", titles.value[job.owner] ?? job.owner],
    ["owner's session", titles.value[job.owner] === undefined ? undefined : job.owner],
    ["project", job.project],
  ]
  return (
    <dl class="grid">
      {details.map(
        ([name, value]) =>
          value !== undefined && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <Words text={value} />
              </dd>
            </div>
          ),
      )}
    </dl>
  )
}
