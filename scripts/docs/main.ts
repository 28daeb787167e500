import { allDocuments } from "./documents.ts"
import { run } from "./run.ts"

/** Writes the documents that are generated from the code; with `--check`, names those that would change. */

const { isUpToDate, output } = run(process.argv, allDocuments(), ".")
if (isUpToDate) console.log(output)
else {
  console.error(output)
  process.exitCode = 1
}
