import type { Call, Git } from "../git.ts"
import { listed, type Name, namesIn } from "../names.ts"
import type { Repository } from "../repository.ts"
import { withIndexCopy } from "../scratch.ts"
import { contentIn } from "./content.ts"

/** What git can be told not to look at files by. It takes one of them at a time. */
const flags = ["assume-unchanged", "skip-worktree"]

/**
 * Of these files, those that were changed although git was told not to look at them: it takes them for what they were,
 * and nobody would have the changes any more.
 * @param folder for what is needed meanwhile
 */
export async function hiddenIn(
  git: Git,
  { root, where }: Repository,
  { names, folder }: { names: readonly Name[]; folder: string },
  call: Call = {},
): Promise<Name[]> {
  const wanted = new Set(names)
  const { stdout } = await git(where, ["ls-files", "-v", "-z"], call)
  // `S` for what is to be skipped, a small letter for what is assumed to be unchanged.
  const flagged = namesIn(stdout).filter((entry) => /^[a-zS] /.test(entry))
  const unseen = flagged.map((entry) => entry.slice(2)).filter((name) => wanted.has(name))
  const contents = await Promise.all(unseen.map((name) => contentIn(root, name)))
  const there = unseen.filter((_, index) => contents[index]?.type !== "none")
  if (there.length === 0) return []
  return withIndexCopy(folder, where.gitDir, call, async (withCopy) => {
    for (const flag of flags) {
      const args = ["update-index", `--no-${flag}`, "-z", "--stdin"]
      await git(where, args, { ...withCopy, input: listed(there) })
    }
    const args = ["diff", "--no-renames", "--name-only", "-z", "--ignore-submodules=all", "--no-ext-diff"]
    const changed = new Set(namesIn((await git(where, [...args, "--no-textconv"], withCopy)).stdout))
    return there.filter((name) => changed.has(name))
  })
}
