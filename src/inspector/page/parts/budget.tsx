import type { SpendingAnswer } from "../../http/api.ts"
import { spentWords } from "../model/budget.ts"

/** What is spent of what may be spent: a bar for the limit that is nearest, and numbers for each. */
export function Budget({ budget }: { budget: SpendingAnswer }) {
  const { limit, spent, isSpent } = budget
  const words = spentWords(budget)
  const share = Math.max(shareOf(spent.tokens, limit.tokens), shareOf(spent.cost, limit.cost))
  return (
    <span class={isSpent ? "budget is-spent" : "budget"}>
      <span
        role="meter"
        class="progress"
        aria-label={budget.of === "batch" ? "Budget of this batch" : "Budget of this session's jobs"}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        aria-valuetext={words}
      >
        <span style={{ width: `${share * 100}%` }} />
      </span>
      <span class="clip">
        {isSpent && <strong>spent:</strong>} {words}
      </span>
    </span>
  )
}

const shareOf = (spent: number, limit: number | undefined) =>
  limit === undefined ? 0 : Math.min(1, spent / Math.max(limit, Number.MIN_VALUE))
