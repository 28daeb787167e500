/** What a terminal is told before a text and after it. */
const codes = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const

export type Colours = Record<keyof typeof codes, (text: string) => string>

/** @param hasColours otherwise texts stay as they are */
export function coloursOf(hasColours: boolean): Colours {
  const ink = ([start, end]: readonly [number, number]) => {
    if (!hasColours) return (text: string) => text
    return (text: string) => `\u001b[${start}m${text}\u001b[${end}m`
  }
  return {
    bold: ink(codes.bold),
    dim: ink(codes.dim),
    red: ink(codes.red),
    green: ink(codes.green),
    yellow: ink(codes.yellow),
  }
}
