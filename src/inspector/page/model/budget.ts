import type { SpendingAnswer } from "../../http/api.ts"
import { amount } from "./words.ts"

/** `12.3k of 100k tokens, $0.12 of $1`: of what is limited. */
export function spentWords({ limit, spent }: Pick<SpendingAnswer, "limit" | "spent">): string {
  const { tokens, cost } = limit
  return [
    ...(tokens === undefined ? [] : [`${amount(spent.tokens)} of ${short(tokens)} tokens`]),
    ...(cost === undefined ? [] : [`${dollars(spent.cost)} of ${dollars(cost)}`]),
  ].join(", ")
}

/** `100k`: what people have chosen is round. */
const short = (tokens: number) => amount(tokens).replace(".0", "")

/** To the cent; small amounts to as many digits as say something. */
const dollars = (cost: number) => `$${cost > 0 && cost < 0.1 ? Number(cost.toPrecision(2)) : cost.toFixed(2)}`
