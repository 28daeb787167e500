import picocolors from "picocolors"

export type Colour = "dim" | "green" | "red" | "yellow" | "magenta" | "cyan"
export type Colours = Record<Colour | "bold", (text: string) => string>

/** Colours in a terminal that has them, unless NO_COLOR is set. */
export function coloursFor(stream: { isTTY: boolean }): Colours {
  return picocolors.createColors(Boolean(stream.isTTY) && picocolors.isColorSupported)
}
