import { appendFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { allDocuments, outdated } from "../../scripts/docs/documents.ts"
import { run } from "../../scripts/docs/run.ts"

describe("What is out of date", () => {
  const documents = [
    { path: "docs/a.md", text: "A" },
    { path: "docs/b.svg", text: "B" },
  ]

  it("is nothing if each file is as it would be written", () => {
    const committed: Record<string, string> = { "docs/a.md": "A", "docs/b.svg": "B" }
    expect(outdated(documents, (path) => committed[path])).toEqual([])
  })

  it("is an edited file, and a missing one", () => {
    const committed: Record<string, string> = { "docs/a.md": "A, by hand" }
    expect(outdated(documents, (path) => committed[path])).toEqual(documents)
  })
})

describe("npm run docs", () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-docs-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("writes what its check requires, and the check names a file that has changed since", () => {
    const documents = allDocuments()
    const docs = (...args: string[]) => run(args, documents, folder)
    const before = docs("--check")
    expect(before.isUpToDate).toBe(false)
    expect(before.output).toContain("Run: npm run docs")
    for (const { path } of documents) expect(before.output).toContain(`- ${path}`)

    expect(docs().isUpToDate).toBe(true)
    expect(docs("--check").isUpToDate).toBe(true)

    appendFileSync(join(folder, "docs/machines.md"), "An edit by hand.\n")
    expect(docs("--check")).toEqual({
      isUpToDate: false,
      output: "These documents are out of date. Run: npm run docs\n- docs/machines.md",
    })
  })
})
