/** A table. Cells may contain Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")
}

const cell = (text: string) => text.replaceAll("|", "\\|").replace(/\s+/g, " ")

export const code = (text: string) => `\`${text}\``

/** A picture that follows the reader's theme, on GitHub too. */
export function picture(paths: { light: string; dark: string }, alt: string): string {
  return [
    "<picture>",
    `  <source media="(prefers-color-scheme: dark)" srcset="${paths.dark}">`,
    `  <img alt="${alt.replaceAll('"', "&quot;")}" src="${paths.light}">`,
    "</picture>",
  ].join("\n")
}
