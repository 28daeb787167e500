import { plainText } from "../../util/plain.ts"
import type { Call, Git, Where } from "./git.ts"

/** Where git knows no name of its user. */
const fallback = {
  GIT_AUTHOR_NAME: "opencode-troupe",
  GIT_AUTHOR_EMAIL: "opencode-troupe@localhost",
  GIT_COMMITTER_NAME: "opencode-troupe",
  GIT_COMMITTER_EMAIL: "opencode-troupe@localhost",
}

/**
 * Writes a commit that no branch leads to yet. Neither hooks nor an index have a part in it.
 * @param time seconds since 1970, where it is not now: the same commit is written again
 */
export async function writeCommit(
  git: Git,
  where: Where,
  { tree, parents, message, time }: { tree: string; parents: string[]; message: string; time?: number },
  call: Call = {},
): Promise<string> {
  const date =
    time === undefined ? {} : { GIT_AUTHOR_DATE: `@${time} +0000`, GIT_COMMITTER_DATE: `@${time} +0000` }
  const write = async (identity: Record<string, string>) => {
    const args = ["commit-tree", tree, ...parents.flatMap((parent) => ["-p", parent]), "-F", "-"]
    const env = { ...call.env, ...date, ...identity }
    return (await git(where, args, { ...call, env, input: `${plainText(message).trim()}\n` })).text
  }
  try {
    return await write({})
  } catch (error) {
    const asked = await git(where, ["var", "GIT_COMMITTER_IDENT"], { ...call, codes: [0, 128] })
    if (asked.code === 0) throw error
    return await write(fallback)
  }
}
