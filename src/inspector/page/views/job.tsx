import { useSignal } from "@preact/signals"
import type { ComponentChildren } from "preact"
import { useEffect } from "preact/hooks"
import { changeWords, overlapWords, shortCommit } from "../../../machines/changes.ts"
import { descriptionOf } from "../../../machines/description.ts"
import type { JobView } from "../../feed/job-view.ts"
import type { JobAnswer, SpendingAnswer } from "../../http/api.ts"
import { go, hrefTo } from "../model/address.ts"
import { spentWords } from "../model/budget.ts"
import type { Json } from "../model/data.ts"
import { followJob } from "../model/followed-job.ts"
import { budgetOf, now, titles } from "../model/jobs.ts"
import { neighbourJob } from "../model/list.ts"
import { adviceOf, hasQuestion, helpFor, needOf } from "../model/needs.ts"
import {
  addressOf,
  amount,
  chosenModel,
  costWords,
  dateTime,
  doing,
  duration,
  errorWords,
  fallbackWords,
  holdOf,
  tokensOf,
} from "../model/words.ts"
import { Attempts } from "../parts/attempts.tsx"
import { Check } from "../parts/check.tsx"
import { Conversation } from "../parts/conversation.tsx"
import { Data } from "../parts/data.tsx"
import { Files } from "../parts/files.tsx"
import { ForeignText } from "../parts/foreign-text.tsx"
import { Heading } from "../parts/heading.tsx"
import { History } from "../parts/history.tsx"
import { JobActions } from "../parts/job-actions.tsx"
import { Broken, GroupWords, hasNeeds, Needs } from "../parts/needs.tsx"
import { Requests } from "../parts/requests.tsx"
import { StateBadge } from "../parts/state-badge.tsx"
import { Statechart } from "../parts/statechart.tsx"
import { isWaiting, WaitsFor } from "../parts/waits-for.tsx"
import { Waterfall } from "../parts/waterfall.tsx"
import { Words } from "../parts/words.tsx"

export function Job({ address }: { address: string }) {
  const { job, problem } = useJob(address)
  const chosen = useSignal<number | undefined>(undefined)
  const session = job?.session
  // It goes on in another session where it is moved to its next model.
  useEffect(() => {
    if (session && session !== address && !address.includes("/")) go({ job: session }, "replace")
  }, [session, address])
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
  const fallback = fallbackWords(job)
  return (
    <main class="job">
      <Ways address={address} owner={job.owner} />
      <div class="title">
        <StateBadge job={job} />
        <Heading>
          <code>{job.id}</code> <Words text={descriptionOf(job)} />
        </Heading>
        <JobActions job={job} />
      </div>
      {fallback !== undefined && (
        <p class="quiet">
          <Words text={fallback} />
        </p>
      )}
      {problem !== "" && (
        <p class="reason is-failed" role="alert">
          This may be out of date. <Words text={problem} />
        </p>
      )}
      <Reason job={job} />
      <Requests job={job} />
      <div class="work">
        <div class="stack">
          <Answer job={job} />
          <Section id="conversation" title="Conversation">
            {job.isGroup ? <GroupAnswer job={job} /> : <Conversation address={address} job={job} />}
          </Section>
        </div>
        <div class="stack">
          {hasNeeds(job) && (
            <Folding id="needs" title={job.isGroup ? "Group" : "Needs"} isFirst>
              <GroupWords job={job} />
              <Needs job={job} />
            </Folding>
          )}
          {job.attempts && (
            <Folding id="models" title="Models" isFirst>
              <Attempts job={job} />
            </Folding>
          )}
          {job.check && (
            <Folding id="check" title="Check" isFirst>
              <Check job={job} />
            </Folding>
          )}
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

function GroupAnswer({ job: { text = "", noText } }: { job: JobAnswer }) {
  return (
    <>
      <p class="quiet">It has none of its own: its jobs have theirs.</p>
      {text !== "" && <ForeignText text={text} />}
      {noText && <p class="quiet">{noText.message}</p>}
    </>
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

/** `isFirst`: it is open wherever it is. */
type FoldingProps = { id: string; title: string; isFirst?: boolean; children: ComponentChildren }

/** Where there is little room, the work comes first, and what is behind it when it is asked for. */
function Folding({ id, title, isFirst = false, children }: FoldingProps) {
  const isOpen = useSignal(isFirst || matchMedia("(min-width: 1001px)").matches)
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

/** What the job was asked to answer with, in its shape. */
function Answer({ job: { structured, noStructured } }: { job: JobAnswer }) {
  if (structured === undefined && noStructured === undefined) return null
  return (
    <Section id="data" title="Answer as data">
      {noStructured === undefined ? <Data value={structured as Json} /> : <p class="quiet">{noStructured}</p>}
    </Section>
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
        <Broken job={job} />
        <p>{adviceOf(job.error.kind)}</p>
      </div>
    )
  if (isWaiting(job))
    return (
      <div class="reason is-blocked">
        <strong>
          <WaitsFor job={job} />
        </strong>
        <p>
          {job.isGroup
            ? "Nobody prompts it: it ends by itself once its jobs have ended."
            : "It starts by itself once they have ended, with their results. There is nothing to do."}
        </p>
      </div>
    )
  if (holdOf(job, now.value))
    return (
      <div class="reason is-needy">
        <strong>
          <Words text={doing(job, now.value)} />
        </strong>
        <p>
          The provider wants to be asked later. It starts by itself then; or cancel it, and start it again
          with another provider's model.
        </p>
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

const budgetWords = (budget: SpendingAnswer | undefined) => budget && spentWords(budget)

function modelWords({ model = chosenModel, attempts = [] }: JobAnswer): string {
  const tried = attempts.map((attempt) => attempt.model ?? chosenModel)
  return tried.length === 0 ? model : `${model}, after ${tried.join(", ")}`
}

/** Where it works, and what it has done there. */
function worktreeDetails({ worktree }: JobAnswer): [string, string | undefined][] {
  if (!worktree) return []
  const { branch, directory, base, commit } = worktree
  return [
    ["branch", branch],
    ["directory", directory],
    ["commits", `${shortCommit(base)} → ${commit === undefined ? "not committed yet" : shortCommit(commit)}`],
    ["changes", changeWords(worktree)],
    ["overlaps", overlapWords(worktree)],
  ]
}

function Details({ job }: { job: JobAnswer }) {
  const { usage } = job
  const details: [string, string | undefined][] = [
    ["agent", job.agent],
    ["model", modelWords(job)],
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
    ["budget of its batch", job.batch === undefined ? undefined : budgetWords(budgetOf("batch", job.batch))],
    ["budget of all jobs", budgetWords(budgetOf("owner", job.owner))],
    ["session", job.session || "none"],
    ["owner", titles.value[job.owner] ?? job.owner],
    ["owner's session", titles.value[job.owner] === undefined ? undefined : job.owner],
    ["project", job.project],
    ...worktreeDetails(job),
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
