import type { Bench } from "./part.ts"

/**
 * Measures each arm once in every round, beginning with another one each time; the first round warms up and does
 * not count. Returns what each arm measured, in the order of the rounds.
 */
export async function alternate<Name extends string, T>(
  { rounds, say }: Pick<Bench, "rounds" | "say">,
  arms: Record<Name, () => Promise<T>>,
): Promise<Record<Name, T[]>> {
  const names = Object.keys(arms) as Name[]
  const measured = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, T[]>
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? "warming up" : `round ${round} of ${rounds}`)
    const first = round % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const value = await arms[name]()
      if (round > 0) measured[name].push(value)
    }
  }
  return measured
}
