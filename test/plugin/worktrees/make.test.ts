import { chmodSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { filesIn, testRepository, userSide } from "./support/repository.ts"

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
})
