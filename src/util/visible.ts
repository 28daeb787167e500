/** Line ends and tabs, what makes one emoji of two, and what makes an emoji of a sign. */
const shownAsTheyAre = String.raw`[\n\t]|(?<=\p{Extended_Pictographic}[\uFE0F\p{Emoji_Modifier}]?)\u200D(?=\p{Extended_Pictographic})|(?<=\p{Extended_Pictographic})\uFE0F|(?<=[\d#*])\uFE0F(?=\u20E3)`
/** What nobody sees; the last is a sign without ink. */
const hidden = new RegExp(
  String.raw`(?!${shownAsTheyAre})[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]`,
  "gu",
)
const isPlain = /^[\x20-\x7e\n\t]*$/

/**
 * A foreign text of several lines, as it is. What a terminal would carry out, and what hides words or turns them around,
 * is written out (`\u{202e}`): somebody decides by what they read here.
 */
export function visible(text: string): string {
  if (isPlain.test(text)) return text
  return text.replace(/\r\n?/g, "\n").replace(hidden, (each) => `\\u{${each.codePointAt(0)?.toString(16)}}`)
}

/** The same on one line. */
export const visibleLine = (text: string): string => visible(text.replace(/\s+/g, " ").trim())
