import { expect, it } from "vitest"
import { type Changes, changedFiles } from "../../../src/plugin/host/changed-files.ts"
import { decodeChanges } from "../../../src/plugin/host/v2/files.ts"

const none: Changes = { calls: [], snapshots: [], hasSnapshots: true, isSummarized: false }
const changed = (changes: Partial<Changes>) => changedFiles({ ...none, ...changes }, "/project")

const write = (path: string, content: string, isNew: boolean) => ({
  tool: "write",
  input: { filePath: path, content },
  metadata: {},
  isNew,
})
const edit = (file: string, additions: number, deletions: number) => ({
  tool: "edit",
  input: { filePath: file },
  metadata: { filediff: { file, patch: `+${file}`, additions, deletions } },
  isNew: false,
})

it("A file that a call has made is all new", () => {
  const { files, why } = changed({ calls: [write("/project/src/a.ts", "one\ntwo\n", true)] })
  expect(files).toEqual([
    {
      path: "src/a.ts",
      additions: 2,
      deletions: 0,
      diff: "--- /dev/null\n+++ /project/src/a.ts\n@@ -0,0 +1,2 @@\n+one\n+two\n",
    },
  ])
  expect(why).toBeUndefined()
})

it("Several changes of one file are one, with the lines of all", () => {
  const { files } = changed({
    calls: [edit("/project/a.ts", 1, 2), edit("a.ts", 3, 4), edit("/else/b.ts", 1, 0)],
  })
  expect(files).toEqual([
    { path: "a.ts", additions: 4, deletions: 6, diff: "+/project/a.ts\n+a.ts" },
    { path: "/else/b.ts", additions: 1, deletions: 0, diff: "+/else/b.ts" },
  ])
})

it("Where a call does not say how many lines it changed, opencode's comparison does, if there is one", () => {
  const calls = [write("a.ts", "new", false), write("b.ts", "new", false)]
  const { files } = changed({ calls, snapshots: [{ path: "a.ts", additions: 5, deletions: 6, diff: "+a" }] })
  expect(files).toEqual([{ path: "a.ts", additions: 5, deletions: 6, diff: "+a" }, { path: "b.ts" }])
})

it("What changed meanwhile, but by no call that names files, is said to be so", () => {
  const { files } = changed({ calls: [edit("a.ts", 1, 0)], snapshots: [{ path: "a.ts" }, { path: "b.ts" }] })
  expect(files).toEqual([
    { path: "a.ts", additions: 1, deletions: 0, diff: "+a.ts" },
    { path: "b.ts", isMeanwhile: true },
  ])
})

it("A file that was read has not changed", () => {
  const read = {
    tool: "read",
    input: { path: "a.ts" },
    metadata: { files: [{ file: "a.ts" }] },
    isNew: false,
  }
  expect(changed({ calls: [read] }).files).toEqual([])
})

it("Says why they may not be all", () => {
  const calls = [edit("a.ts", 1, 0)]
  expect(changed({ calls, hasSnapshots: false }).why).toMatch(
    /what commands of its shell changed is not known/,
  )
  expect(changed({ calls, isSummarized: true }).why).toMatch(/what it changed before is not known/)
})

it("opencode 2 tells of a step's files by name, of an edit with its diff, and of a new file in words", () => {
  const state = (input: object, metadata: object, text: string) => ({
    status: "completed",
    input,
    metadata,
    content: [{ type: "text", text }],
  })
  const found = decodeChanges([
    { id: "msg_1", type: "user", text: "do it" },
    {
      id: "msg_2",
      type: "assistant",
      snapshot: { start: "a", end: "b", files: ["made.txt", "by-shell.txt"] },
      content: [
        {
          type: "tool",
          name: "write",
          state: state({ path: "made.txt", content: "one\n" }, {}, "Created file successfully: made.txt"),
        },
        {
          type: "tool",
          name: "edit",
          state: state(
            { path: "made.txt" },
            { files: [{ file: "made.txt", patch: "+two", additions: 1, deletions: 0 }] },
            "Edited made.txt",
          ),
        },
        {
          type: "tool",
          name: "write",
          state: { status: "error", input: { path: "denied.txt", content: "" } },
        },
      ],
    },
  ])
  expect(changedFiles(found, "/project").files).toEqual([
    {
      path: "made.txt",
      additions: 2,
      deletions: 0,
      diff: "--- /dev/null\n+++ made.txt\n@@ -0,0 +1,1 @@\n+one\n\n+two",
    },
    { path: "by-shell.txt", isMeanwhile: true },
  ])
})
