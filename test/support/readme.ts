import { readFileSync } from "node:fs"
import { join } from "node:path"

export type CodeBlock = {
  /** The heading above it. */
  section: string
  language: string
  text: string
}

/** The fenced code blocks of the README, in order. */
export function readmeBlocks(): CodeBlock[] {
  return blocksOf(readme())
}

export const readme = () => readFileSync(join(import.meta.dirname, "..", "..", "README.md"), "utf8")

function blocksOf(markdown: string): CodeBlock[] {
  let section = ""
  return [...markdown.matchAll(/^#+ (.+)$|^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(
    ([, heading, language = "", text = ""]) => {
      if (heading === undefined) return { section, language, text }
      section = heading
      return []
    },
  )
}
