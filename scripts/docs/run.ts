import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Document, outdated } from "./documents.ts"

export type Outcome = { isUpToDate: boolean; output: string }

/** Writes the documents that have changed into `root`; with `--check`, only names them. */
export function run(args: readonly string[], documents: readonly Document[], root: string): Outcome {
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : undefined)
  const changed = outdated(documents, (path) => read(join(root, path)))
  if (changed.length === 0)
    return { isUpToDate: true, output: `The documents are up to date: ${documents.length} files.` }
  if (args.includes("--check")) {
    const files = changed.map(({ path }) => `- ${path}`)
    const output = ["These documents are out of date. Run: npm run docs", ...files].join("\n")
    return { isUpToDate: false, output }
  }
  for (const { path, text } of changed) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return { isUpToDate: true, output: changed.map(({ path }) => `Written: ${path}`).join("\n") }
}
