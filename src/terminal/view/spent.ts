import type { Spending } from "../jobs.ts"

/** `batch budget: 12.3k of 100k tokens, $0.12 of $1.00`: of what is limited. */
export function spentWords({ of, limit, spent, isSpent }: Spending): string {
  const { tokens, cost } = limit
  const amounts = [
    ...(tokens === undefined ? [] : [`${amount(spent.tokens)} of ${amount(tokens)} tokens`]),
    ...(cost === undefined ? [] : [`${dollars(spent.cost)} of ${dollars(cost)}`]),
  ]
  return `${of === "batch" ? "batch budget" : "budget"}${isSpent ? " spent" : ""}: ${amounts.join(", ")}`
}

/** `950`, `12.3k`, `4M`. */
function amount(tokens: number): string {
  if (tokens < 1_000) return String(Math.round(tokens))
  return tokens < 1_000_000 ? `${short(tokens / 1_000)}k` : `${short(tokens / 1_000_000)}M`
}

const short = (count: number) => count.toFixed(1).replace(/\.0$/, "")

/** To the cent; small amounts to as many digits as say something. */
const dollars = (cost: number) => `$${cost > 0 && cost < 0.1 ? Number(cost.toPrecision(2)) : cost.toFixed(2)}`
