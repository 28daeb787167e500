import { spawnSync } from "node:child_process"
import { appendFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { allDocuments, outdated } from "../../scripts/docs/documents.ts"

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

  it("writes what its check requires, and the check names a file that has changed since", () => {
    const before = run("--check")
    expect(before.status).toBe(1)
    expect(before.output).toContain("Run: npm run docs")
    for (const { path } of allDocuments()) expect(before.output).toContain(`- ${path}`)

    expect(run().status).toBe(0)
    expect(run("--check").status).toBe(0)

    appendFileSync(join(folder, "docs/machines.md"), "An edit by hand.\n")
    const after = run("--check")
    expect(after.status).toBe(1)
    expect(after.output).toContain("Run: npm run docs\n- docs/machines.md\n")
  })
})
