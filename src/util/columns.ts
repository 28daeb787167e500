/** Foreign text in the columns of a terminal, of which nobody says how wide their characters are. */

/** As many as it takes at most. */
export const columnsOf = (line: string): number =>
  [...line].reduce((columns, char) => columns + (narrow.test(char) ? 1 : 2), 0)

/** Signs of the General Punctuation and those that terminals draw in one column, too. */
const narrow = /[\0-\u10ff\u2000-\u22ff\u2500-\u259f]/

/** As much of a line as there is room for, with a mark where it is cut off. `keep`: which end of it is to be seen. */
export function fitted(line: string, room: number, keep: "start" | "end"): string {
  if (columnsOf(line) <= room) return line
  const chars = [...line]
  const from = keep === "start" ? chars : chars.toReversed()
  let left = room - 1
  const kept = from.slice(
    0,
    from.findIndex((char) => {
      left -= columnsOf(char)
      return left < 0
    }),
  )
  return keep === "start" ? `${kept.join("").trimEnd()}…` : `…${kept.toReversed().join("").trimStart()}`
}
