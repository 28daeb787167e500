import { mkdirSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { createLoadGuard } from "../../../src/plugin/isolation/load-guard.ts"
import { createWorktrees } from "../../../src/plugin/worktrees/worktrees.ts"
import { tempFolder } from "../../support/temp-folder.ts"

/** A guard that refuses each worktree, and where one of them is. */
function refusing() {
  const temp = tempFolder("load-guard")
  onTestFinished(temp.remove)
  const folder = join(temp.path, "worktrees")
  const directory = join(folder, "repository", "one-0123")
  mkdirSync(directory, { recursive: true })
  const worktrees = createWorktrees({ folder })
  const guard = createLoadGuard({
    ...worktrees,
    assureConfiguration: (place) => Promise.reject(new Error(`it was changed: ${place}`)),
  })
  return { guard, directory, temp: temp.path }
}

it("opencode loads a job's worktree only if its configuration is as the user had it, however it is reached", async () => {
  const { guard, directory, temp } = refusing()
  const link = join(temp, "link")
  symlinkSync(directory, link)
  // What a job has put in place of its worktree.
  const away = join(directory, "../away-0123")
  symlinkSync(temp, away)
  for (const place of [directory, join(directory, "below"), link, away])
    await expect(guard(place)).rejects.toThrow(`it was changed: ${place}`)
})

it("opencode loads all other directories as they are, also one that is gone", async () => {
  const { guard, temp } = refusing()
  for (const place of [temp, join(temp, "gone")]) await expect(guard(place)).resolves.toBeUndefined()
})
