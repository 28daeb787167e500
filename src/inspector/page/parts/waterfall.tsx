import type { JobAnswer } from "../../http/api.ts"
import { inLine } from "../model/graph.ts"
import { now } from "../model/jobs.ts"
import { type Span, spansOf, spanWords } from "../model/spans.ts"
import { duration } from "../model/words.ts"

/** What the job spent its time on, one line for each span. */
export function Waterfall({ job }: { job: JobAnswer }) {
  const spans = spansOf(job, now.value, inLine(job, now.value))
  const start = spans[0]?.from ?? job.createdAt
  const total = Math.max(1, (spans.at(-1)?.to ?? start) - start)
  return (
    <ol class="waterfall">
      {spans.map((span) => (
        <Line key={`${span.kind}-${span.from}`} span={span} start={start} total={total} />
      ))}
    </ol>
  )
}

function Line({ span, start, total }: { span: Span; start: number; total: number }) {
  const left = ((span.from - start) / total) * 100
  const width = ((span.to - span.from) / total) * 100
  return (
    <li title={span.why}>
      <span class="what">{spanWords[span.kind]}</span>
      <span class="track">
        <span class={`span is-${span.kind}`} style={{ left: `${left}%`, width: `${width}%` }} />
      </span>
      <span class="number">{duration(span.to - span.from)}</span>
    </li>
  )
}
