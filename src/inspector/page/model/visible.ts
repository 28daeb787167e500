/** Makes control characters visible: U+0001 becomes ␁. Bidirectional overrides, which could disguise text, become �. */
export function visible(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it replaces
      .replace(/[\u0000-\u0008\u000b-\u001f]/g, (char) => String.fromCodePoint(0x2400 + char.charCodeAt(0)))
      .replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "�")
  )
}
