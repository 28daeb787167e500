import type { Call, Git, Where } from "./git.ts"
import { branchPrefix } from "./note.ts"

/** Characters of one part of a name. */
const longest = 40

/** What of an id is kept in the name of a branch and a folder. */
export function namePart(id: string): string {
  const safe = id.replace(/[^A-Za-z0-9_]+/g, "-").replace(/^-+|-+$/g, "")
  return safe.slice(0, longest) || "job"
}

/** The end of a session's id is what differs. */
export const ownerPart = (owner: string): string => namePart(owner.slice(-8))

export const branchOf = (owner: string, name: string): string => `${branchPrefix}${ownerPart(owner)}/${name}`

/** The commit at the end of a branch; nothing where there is no such branch. */
export async function tipOf(
  git: Git,
  where: Where,
  branch: string,
  call: Call = {},
): Promise<string | undefined> {
  const args = ["rev-parse", "--quiet", "--verify", `refs/heads/${branch}^{commit}`]
  const { code, text } = await git(where, args, { ...call, codes: [0, 1, 128] })
  return code === 0 ? text : undefined
}
