import { describe, expect, it } from "vitest"
import { codeOf, fileFailure, gitFailure, WorktreeError } from "../../../src/plugin/worktrees/errors.ts"

describe("A git that fails is told in words: what was wrong, and what to do", () => {
  it.each([
    ["noSpace", "fatal: sha1 file write error: No space left on device"],
    ["noSpace", "error: file write error: Disk quota exceeded"],
    ["filter", "error: external filter 'git-lfs smudge' failed 127"],
    ["filter", "fatal: a.bin: clean filter 'lfs' failed"],
    ["filter", "fatal: a.bin: smudge filter lfs failed"],
    ["filter", "fatal: the remote end of filter-process hung up"],
    ["locked", "fatal: Unable to create '/p/.git/index.lock': File exists."],
    ["locked", "error: cannot lock ref 'refs/heads/troupe/a': unable to create lock"],
    ["changed", "error: cannot lock ref 'refs/heads/troupe/a': reference already exists"],
    ["changed", "error: cannot lock ref 'refs/heads/troupe/a': is at 12ab but expected 34cd"],
    ["locked", "error: could not lock config file .git/config"],
    ["notWritable", 'error: open("a.txt"): Permission denied'],
    ["notWritable", "fatal: could not write: Read-only file system"],
    ["notWritable", "error: insufficient permission for adding an object"],
    ["notWritable", "error: unlink failed: Operation not permitted"],
  ] as const)("%s: %s", (kind, stderr) => {
    const { message, ...error } = gitFailure("add", 128, stderr)
    expect(error).toMatchObject({ name: "WorktreeError", kind })
    expect(message).toBe(`${told[kind].what} (git add: ${stderr}); ${told[kind].todo}`)
  })

  const told = {
    noSpace: { what: "the disk is full", todo: "make room on it and try again" },
    filter: {
      what: "a filter of the repository fails",
      todo: "install what its filter runs, or see .gitattributes and git config",
    },
    locked: {
      what: "another git process holds a lock in the repository",
      todo: "wait until it has ended; remove the lock file where none runs",
    },
    changed: { what: "somebody else has moved a branch just now", todo: "try again" },
    notWritable: {
      what: "a file cannot be read or written",
      todo: "let this user read the project and write to its .git folder",
    },
  }

  it.each([
    "fatal: not a git repository (or any of the parent directories): .git",
    "fatal: this operation must be run in a work tree",
  ])("without git's words where they say no more: %s", (stderr) => {
    const { kind, message } = gitFailure("add", 128, stderr)
    expect(kind).toBe("noRepository")
    expect(message).toBe(
      "there is no git repository; run git init and commit something first, or leave out the isolation",
    )
  })

  it("by the cause where several are named: a lock that a full disk does not let be made", () => {
    const stderr = "fatal: Unable to create '/p/.git/index.lock': No space left on device"
    expect(gitFailure("add", 128, stderr).kind).toBe("noSpace")
  })

  it("in git's own words where they say nothing known", () => {
    expect(gitFailure("merge-tree", 1, "fatal: refusing to merge unrelated histories\n")).toMatchObject({
      kind: "failed",
      what: "git merge-tree: fatal: refusing to merge unrelated histories",
      todo: "see what git says and try again",
    })
  })

  it("without warnings and progress, on one line, where there are errors", () => {
    const stderr =
      "warning: LF will be replaced by CRLF\nerror: unable to index a.txt\nhint: see error: and fatal:\n\n" +
      "fatal: updating files failed\n"
    expect(gitFailure("add", 128, stderr).what).toBe(
      "git add: error: unable to index a.txt fatal: updating files failed",
    )
  })

  it("with all that it has written where none of that is called an error", () => {
    expect(gitFailure("add", 1, "\nhint: no\n \nhint: never\n").what).toBe("git add: hint: no hint: never")
  })

  it("with its code where it has written nothing", () => {
    expect(gitFailure("add", 137, " \n").what).toBe("git add ended with code 137")
  })

  it("in 300 characters, however many it has written", () => {
    expect(gitFailure("add", 1, `fatal: ${"x".repeat(1_000)}`).what).toBe(
      `git add: fatal: ${"x".repeat(293)}`,
    )
  })
})

describe("A file system that refuses is told in words", () => {
  const withCode = (code: unknown) => Object.assign(new Error("it says so"), { code })

  it.each(["ENOSPC", "EDQUOT"])("as a full disk: %s", (code) => {
    expect(fileFailure(withCode(code))).toMatchObject({
      kind: "noSpace",
      message: "the disk is full (it says so); make room on it and try again",
    })
  })

  it.each(["EACCES", "EPERM", "EROFS"])("as what this user may not write: %s", (code) => {
    expect(fileFailure(withCode(code))).toMatchObject({
      kind: "notWritable",
      message: "it says so; let this user write there",
    })
  })

  it("in its own words otherwise, whatever it throws", () => {
    const failed = { kind: "failed", message: "it says so; try again" }
    for (const error of [withCode("EIO"), new Error("it says so"), "it says so"])
      expect(fileFailure(error)).toMatchObject(failed)
  })

  it("not once more where that is done", () => {
    const error = new WorktreeError("gone", "it is gone", "start anew")
    expect(fileFailure(error)).toBe(error)
  })

  it("by a code that is a text", () => {
    expect([withCode("EIO"), withCode(5), new Error("no"), { code: "EIO" }].map(codeOf)).toEqual([
      "EIO",
      undefined,
      undefined,
      undefined,
    ])
  })
})
