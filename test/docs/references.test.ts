import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { brokenIn } from "./support/references.ts"

const documents = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
]
const read = (path: string) => readFileSync(path, "utf8")

it.each(documents)("Every file that %s names exists, and every link works", (path) => {
  expect(brokenIn({ path, text: read(path), read })).toEqual([])
})

describe("A name or link that is broken", () => {
  const files: Record<string, string> = {
    "src/a.ts": "",
    "docs/b.md": "# All of B, in short",
    "docs/c.svg": "",
  }
  const exists = (path: string) => path in files
  const broken = (text: string) =>
    brokenIn({ path: "docs/page.md", text, read: (path) => files[path] ?? "", exists })

  it("is reported for a file in prose, in a code block, and at the end of a sentence", () => {
    expect(broken("See `src/a.ts`, then src/a.ts.")).toEqual([])
    expect(broken("See `src/old.ts`, then test/old/.\n```\nscripts/old.ts\n```")).toEqual([
      "docs/page.md names src/old.ts",
      "docs/page.md names test/old/",
      "docs/page.md names scripts/old.ts",
    ])
  })

  it("is reported for a link, relative to the document", () => {
    expect(broken("[a](../src/a.ts) [b](b.md) [web](https://example.com/src/none.ts)")).toEqual([])
    expect(broken("[a](src.ts)")).toEqual(["docs/page.md links to src.ts"])
  })

  it("is reported for a picture", () => {
    expect(broken('<img src="c.svg">')).toEqual([])
    expect(broken('<source srcset="d.svg">')).toEqual(["docs/page.md links to d.svg"])
  })

  it("is reported for a heading, here or elsewhere", () => {
    expect(broken("# Here\n[here](#here) [there](b.md#all-of-b-in-short)")).toEqual([])
    expect(broken("# Here\n[gone](#there) [gone](b.md#here)")).toEqual([
      "docs/page.md links to #there",
      "docs/page.md links to b.md#here",
    ])
  })
})
