import { spawnSync } from "node:child_process"
import { appendFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { allDocuments, outdated } from "../../scripts/docs/documents.ts"

describe("What is outdated", () => {
  const documents = [
    { path: "docs/a.md", text: "A" },
    { path: "docs/b.svg", text: "B" },
  ]

  it("is nothing where all is as it would be written", () => {
    const committed: Record<string, string> = { "docs/a.md": "A", "docs/b.svg": "B" }
    expect(outdated(documents, (path) => committed[path])).toEqual([])
  })

  it("is a file that was edited, and one that is not there", () => {
    const committed: Record<string, string> = { "docs/a.md": "A, by hand" }
    expect(outdated(documents, (path) => committed[path])).toEqual(documents)
  })
})

describe("npm run docs", { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-docs-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const main = fileURLToPath(new URL("../../scripts/docs/main.ts", import.meta.url))
  const tsx = fileURLToPath(import.meta.resolve("tsx"))
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", tsx, main, ...args], {
      cwd: folder,
      encoding: "utf8",
    })
    return { status, output: stdout + stderr }
  }

  it("writes what its check asks for, and the check says which file has changed since", () => {
    const before = run("--check")
    expect(before.status).toBe(1)
    expect(before.output).toContain("Run: npm run docs")
    for (const { path } of allDocuments()) expect(before.output).toContain(`- ${path}`)

    expect(run().status).toBe(0)
    expect(run("--check").status).toBe(0)

    appendFileSync(join(folder, "docs/machines.md"), "One word too many.\n")
    const after = run("--check")
    expect(after.status).toBe(1)
    expect(after.output).toContain("Run: npm run docs\n- docs/machines.md\n")
  })
})
