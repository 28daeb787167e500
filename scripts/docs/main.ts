import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { allDocuments, outdated } from "./documents.ts"

/** Writes the documents that are generated from the code; with `--check`, names those that would change. */

const documents = allDocuments()
const changed = outdated(documents, (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined))

if (!process.argv.includes("--check")) {
  for (const { path, text } of changed) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    console.log(`Written: ${path}`)
  }
  if (changed.length === 0) console.log("The documents are up to date.")
} else if (changed.length > 0) {
  const files = changed.map(({ path }) => `- ${path}`)
  console.error(["These documents are out of date. Run: npm run docs", ...files].join("\n"))
  process.exitCode = 1
} else {
  console.log(`The documents are up to date: ${documents.length} files.`)
}
