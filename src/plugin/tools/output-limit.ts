/**
 * What a tool may answer before opencode cuts it: 50 KiB or 2000 lines, the rest in a file. Less is used, for what
 * stands beside the results.
 */
const room = { bytes: 46_000, lines: 1_800 }

/**
 * How many of the blocks fit beside the other lines, from the first on. One that alone is too long still goes, by itself: opencode keeps
 * the whole of it in a file and says where.
 */
export function fitting(blocks: readonly string[], others: readonly string[] = []): number {
  let bytes = Buffer.byteLength(others.join(""))
  let lines = others.length
  for (const [index, block] of blocks.entries()) {
    bytes += Buffer.byteLength(block)
    lines += block.split("\n").length
    if (index > 0 && (bytes > room.bytes || lines > room.lines)) return index
  }
  return blocks.length
}
