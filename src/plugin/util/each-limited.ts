/** What `act` gives for each item, in their order, with so many of them under way at most. */
export async function eachLimited<Item, Made>(
  items: readonly Item[],
  most: number,
  act: (item: Item) => Promise<Made>,
): Promise<Made[]> {
  const made: Made[] = []
  const rest = items.entries()
  const worker = async () => {
    for (const [index, item] of rest) made[index] = await act(item)
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker))
  return made
}
