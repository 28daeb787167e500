import { expect, it } from "vitest"
import { type Asked, permissionParts } from "../../src/shown/permission-parts.ts"

const bash = { action: "bash", patterns: ["echo a", "cat b"] }

it.each<[string, Asked, string[]]>([
  ["a command, as it is called", { ...bash, input: { command: "echo a | cat b" } }, ["echo a | cat b"]],
  [
    "where a command runs",
    { ...bash, input: { description: "Cleans up", command: "rm -rf .", workdir: "/home" } },
    ["command: rm -rf .", "description: Cleans up", "workdir: /home"],
  ],
  [
    "the folder that a command reaches, with the command",
    { action: "external_directory", patterns: ["/etc/*"], input: { command: "cat /etc/hosts" } },
    ["for: /etc/*", "command: cat /etc/hosts"],
  ],
  [
    "a change",
    { action: "edit", patterns: ["a.ts"], metadata: { diff: "-a\n+b" }, input: { path: "a.ts" } },
    ["for: a.ts", "change: -a\n+b"],
  ],
  ["a page", { action: "webfetch", patterns: ["https://example.com"] }, ["https://example.com"]],
  [
    "a tool of which opencode knows nothing else, by its arguments",
    { action: "db", patterns: ["*"], input: { query: "select 1", options: { rows: 3 } } },
    ["query: select 1", 'options: {"rows":3}'],
  ],
  [
    "a tool that calls something of its own a command",
    { action: "deploy", patterns: ["*"], input: { target: "production", command: "status" } },
    ["command: status", "target: production"],
  ],
  [
    "each file as one, whatever it is called",
    { action: "edit", patterns: ["a\nb", "c\u202e"] },
    ["a\\u{a}b\nc\\u{202e}"],
  ],
  [
    "that it could not be read",
    { ...bash, input: "unreadable" },
    ["for: echo a\ncat b", "not shown: what its call was given could not be read"],
  ],
])("What permission is asked for is shown in full: %s", (_, asked, parts) => {
  expect(permissionParts(asked).map(({ title, text }) => (title ? `${title}: ${text}` : text))).toEqual(parts)
})
