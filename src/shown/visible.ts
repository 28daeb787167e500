/** Line ends, what makes one emoji of two, and what makes an emoji of a sign. */
const shownAsTheyAre = String.raw`\n|(?<=\p{Extended_Pictographic}[\uFE0F\p{Emoji_Modifier}]?)\u200D(?=\p{Extended_Pictographic})|(?<=\p{Extended_Pictographic})\uFE0F|(?<=[\d#*])\uFE0F(?=\u20E3)`
/** What nobody sees; the last is a sign without ink. */
const hidden = new RegExp(
  String.raw`(?!${shownAsTheyAre})[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]`,
  "gu",
)

/**
 * A foreign text of several lines, as it is. What a terminal would carry out, and what hides words or turns them around,
 * is written out: somebody decides by what they read here.
 */
export const visible = (text: string): string =>
  text
    .replace(/\r\n?/g, "\n")
    .replaceAll("\t", "  ")
    .replace(hidden, (each) => `\\u{${each.codePointAt(0)?.toString(16)}}`)

/** The same on one line. */
export const visibleLine = (text: string): string => visible(text.replace(/\s+/g, " ").trim())
