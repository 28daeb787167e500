import type { JobAnswer } from "../../http/api.ts"
import { clockTime, duration } from "../model/words.ts"
import { Words } from "./words.tsx"

type Props = {
  steps: JobAnswer["history"]
  /** The index of the step that the chart shows. */
  chosen: number | undefined
  onChoose(index: number | undefined): void
}

/** Every transition with its cause, latest first. */
export function History({ steps, chosen, onChoose }: Props) {
  if (steps.length === 0)
    return <p class="empty">opencode has been restarted since this job ran, and its history was not kept.</p>
  const latestFirst = steps
    .map((step, index) => ({ step, index, before: steps[index - 1]?.at ?? step.at }))
    .reverse()
  return (
    <ol class="history">
      {latestFirst.map(({ step, index, before }) => (
        <li key={index}>
          <time dateTime={new Date(step.at).toISOString()}>
            {clockTime(step.at)}
            {step.at > before && <span class="quiet"> +{duration(step.at - before)}</span>}
          </time>
          <div>
            <button
              type="button"
              class="step"
              title="Show this step in the chart"
              aria-pressed={chosen === index}
              onClick={() => onChoose(chosen === index ? undefined : index)}
            >
              <Words text={step.why} />
            </button>
            <p class="quiet">
              {step.from !== "" && `${step.from} → `}
              {step.to} <code>{step.event}</code>
            </p>
          </div>
        </li>
      ))}
    </ol>
  )
}
