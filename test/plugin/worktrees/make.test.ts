import { appendFileSync, chmodSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, vi } from "vitest"
import { folderOf } from "../../../src/plugin/worktrees/folder.ts"
import { filesIn, type TestRepository, testRepository, userSide, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"

describe("A worktree", () => {
  it("has all that its owner has, however it was changed, and the owner keeps everything as it was", async () => {
    const repo = testRepository()
    repo.commit({
      "kept.txt": "kept\n",
      "changed.txt": "1\n",
      "gone.txt": "1\n",
      "old name.txt": "1\n",
      "run.sh": "x\n",
    })
    repo.write({ ".git/info/exclude": "ignored\n", ignored: "not carried over" })
    repo.write({ "stashed.txt": "stashed" })
    repo.git("stash", "--include-untracked")
    repo.write({ "changed.txt": "2\n", "new folder/new.txt": "new\n", "staged.txt": "staged\n" })
    repo.git("add", "staged.txt")
    repo.write({ "staged.txt": "and changed again\n" })
    rmSync(join(repo.path, "gone.txt"))
    renameSync(join(repo.path, "old name.txt"), join(repo.path, "new name.txt"))
    chmodSync(join(repo.path, "run.sh"), 0o755)
    symlinkSync("kept.txt", join(repo.path, "link"))
    for (const hook of ["post-checkout", "pre-commit", "reference-transaction", "post-index-change"]) {
      repo.write({ [`.git/hooks/${hook}`]: `#!/bin/sh\ntouch "${repo.path}/hook-${hook}"\n` })
      chmodSync(join(repo.path, ".git", "hooks", hook), 0o755)
    }
    const before = userSide(repo.path)

    const made = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })

    const { ignored: _, ...files } = filesIn(repo.path)
    expect(filesIn(made.directory)).toEqual(files)
    expect(userSide(repo.path)).toEqual(before)
    expect(repo.gitIn(made.directory, "status", "--porcelain")).toBe("")
    expect(repo.gitIn(made.directory, "branch", "--show-current")).toBe(made.branch)
    expect(made.branch).toBe("troupe/89abcdef/a")
    expect(repo.git("rev-parse", `${made.base}^`)).toBe(repo.git("rev-parse", "HEAD"))
  })

  it("that waits for another one to be made waits no more once its job is over, and leaves nothing", async () => {
    const repo = testRepository()
    const ours = folderOf(repo.folder, join(repo.path, ".git"))
    // The parent of this process lives as long as the test does.
    writeAll(ours, { adding: `${process.ppid}` })
    const job = new AbortController()
    const making = repo.worktrees.make({ directory: repo.path, owner, job: "a", signal: job.signal })
    const waits = expect(making).rejects.toMatchObject({ kind: "interrupted" })
    const note = join(ours, "89abcdef-a.json")
    await vi.waitUntil(() => existsSync(note), { timeout: 25_000, interval: 5 })
    job.abort()
    await waits
    expect([existsSync(note), repo.git("branch", "--list", "troupe/*")]).toEqual([false, ""])
  })
})

describe("The many files of a worktree are written by several processes", () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`${index}.txt`, `${index}\n`]))

  /** How many have written files, as git tells it. */
  function countedIn(repo: TestRepository): () => number {
    const trace = join(repo.path, ".git", "trace")
    appendFileSync(join(repo.env.HOME ?? "", ".gitconfig"), `[trace2]\n\teventTarget = ${trace}\n`)
    return () => {
      const workers = readFileSync(trace, "utf8").match(/"event":"child_start".*"checkout--worker"/g)
      rmSync(trace)
      return workers?.length ?? 0
    }
  }

  it.each([
    ["as many as are of use", undefined, 8],
    ["as many as the user has set", "2", 2],
    ["git alone, where the user has set that", "1", 0],
  ])("%s", async (_, set, expected) => {
    const repo = testRepository()
    const first = repo.commit(many)
    const second = repo.commit(
      Object.fromEntries(Object.entries(many).map(([name, text]) => [name, text + text])),
    )
    if (set !== undefined) repo.git("config", "checkout.workers", set)
    const counted = countedIn(repo)
    const { directory } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
    expect(counted()).toBe(expected)
    expect(filesIn(directory)).toEqual(filesIn(repo.path))
    await repo.worktrees.startFrom(directory, first)
    expect(counted()).toBe(expected)
    await repo.worktrees.startFrom(directory, second)
    expect(filesIn(directory)).toEqual(filesIn(repo.path))
  })
})
