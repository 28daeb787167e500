/**
 * A foreign text of several lines, as it is. What a terminal would carry out, and what hides words or turns them around,
 * is written out: somebody decides by what they read here.
 */
export const visible = (text: string): string =>
  text
    .replace(/\r\n?/g, "\n")
    .replaceAll("\t", "  ")
    .replace(
      /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu,
      (hidden) => `\\u{${hidden.codePointAt(0)?.toString(16)}}`,
    )

/** The same on one line. */
export const visibleLine = (text: string): string => visible(text.replace(/\s+/g, " ").trim())
