import { expect, it } from "vitest"
import { type Asked, permissionText } from "../../src/terminal/opencode/permission-text.ts"

it.each<[string, Asked, string]>([
  [
    "a command, as it is called",
    { patterns: ["echo a", "cat b"], input: { command: "echo a | cat b" } },
    "echo a | cat b",
  ],
  ["a change", { patterns: ["a.ts"], metadata: { diff: "-a\n+b" }, input: { path: "a.ts" } }, "a.ts\n-a\n+b"],
  ["a page", { patterns: ["https://example.com"] }, "https://example.com"],
  [
    "a tool of which opencode knows nothing else, by its arguments",
    { patterns: ["*"], input: { query: "select 1", options: { rows: 3 } } },
    'query: select 1\noptions: {"rows":3}',
  ],
])("What permission is asked for is shown in full: %s", (_, asked, text) => {
  expect(permissionText(asked)).toBe(text)
})
