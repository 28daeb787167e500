/**
 * Foreign text, as models, providers and tools write it, may hold what a terminal would carry out or what makes words
 * look like others. This is what of it may be shown. Where somebody decides by what they read, what is hidden is written
 * out instead: see `src/terminal/view/plain.ts`.
 */

const esc = String.fromCharCode(0x1b)
const [csi, osc, bell, stringEnd] = [0x9b, 0x9d, 0x07, 0x9c].map((code) => String.fromCharCode(code))

/**
 * What tells a terminal to do something: colours, movements, titles, links. A string that is never ended stays text, as
 * does one in which another begins: or each of very many would be followed to the end of the text.
 */
const terminalSequences = new RegExp(
  [
    `(?:${esc}\\[|${csi})[0-?]*[ -/]*[@-~]`,
    `(?:${esc}[\\]PX^_]|${osc})[^\\n${esc}${bell}${stringEnd}${osc}]*(?:${bell}|${stringEnd}|${esc}\\\\)`,
    `${esc}[ -/]*[0-~]?`,
  ].join("|"),
  "g",
)
const controls = /[^\P{Cc}\n\t]/gu
/** They let a line read in another order than it is written. */
const bidiControls = /[\u202A-\u202E\u2066-\u2069]/g

/** A text of several lines as it is, without what a terminal would carry out. */
export function plainText(text: string): string {
  return text.replace(terminalSequences, "").replace(/\r\n?/g, "\n").replace(controls, "")
}

/** A text on one line, which nothing in it can break or turn around. */
export function oneLine(text: string): string {
  return plainText(text).replace(bidiControls, "").replace(/\s+/g, " ").trim()
}

/** A few short lines, each as above. */
export const plainLines = (text: string) => text.split("\n").map(oneLine).join("\n")

/** The beginning of a text; a character is there or it is not. */
export function beginning(text: string, most: number): string {
  const isCutInside =
    /[\uD800-\uDBFF]/.test(text.charAt(most - 1)) && /[\uDC00-\uDFFF]/.test(text.charAt(most))
  return text.slice(0, isCutInside ? most - 1 : most)
}
