import type { Row } from "./part.ts"

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  if (low === undefined || high === undefined) throw new Error("nothing was measured")
  return (low + high) / 2
}

/** A row with the median of what was measured. */
export function medianRow(
  name: string,
  values: readonly number[],
  { unit, bound }: Pick<Row, "unit" | "bound">,
): Row {
  return {
    name,
    value: median(values),
    unit,
    ...(bound !== undefined && { bound }),
    range: [Math.min(...values), Math.max(...values)],
  }
}

/** What was measured in the same round belongs together: machines are fast and slow by the minute. */
export function pairwise(
  values: readonly number[],
  others: readonly number[],
  combine: (value: number, other: number) => number,
): number[] {
  return values.flatMap((value, index) => {
    const other = others[index]
    return other === undefined ? [] : combine(value, other)
  })
}

export const ratios = (values: readonly number[], others: readonly number[]) =>
  pairwise(values, others, (value, other) => value / other)

export const differences = (values: readonly number[], others: readonly number[]) =>
  pairwise(values, others, (value, other) => value - other)
