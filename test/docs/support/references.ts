import { existsSync } from "node:fs"
import { dirname, join } from "node:path"

const folders = "src|test|scripts|demo|bench|docs"
/** How prose and code blocks name files of this repository. */
const named = new RegExp(`(?<![\\w./-])(?:${folders})/[\\w./-]*`, "g")
const linked = /\]\(([^)\s]+)\)|\b(?:src|srcset|href)="([^"]+)"/g

export type Reading = {
  /** The document's path from the root. */
  path: string
  text: string
  /** Gives the text of any other document, for its headings. */
  read: (path: string) => string
  exists?: (path: string) => boolean
}

/** The broken names and links of a Markdown document, in words. */
export function brokenIn({ path, text, read, exists = existsSync }: Reading): string[] {
  const paths = [...text.matchAll(named)].map(([found]) => found.replace(/\.$/, ""))
  const links = [...text.matchAll(linked)].flatMap(([, link, attribute]) => link ?? attribute ?? [])
  return [
    ...paths.filter((each) => !exists(each)).map((each) => `${path} names ${each}`),
    ...links.filter((each) => !isOutside(each) && !resolves(each)).map((each) => `${path} links to ${each}`),
  ]

  function resolves(link: string): boolean {
    const [file = "", anchor] = link.split("#")
    const target = file === "" ? path : join(dirname(path), file)
    if (file !== "" && !exists(target)) return false
    return anchor === undefined || anchorsOf(file === "" ? text : read(target)).includes(anchor)
  }
}

const isOutside = (link: string) => /^[a-z]+:/.test(link)

/** GitHub's anchors of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  )
}
