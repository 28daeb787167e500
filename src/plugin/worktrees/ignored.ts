import { readdir } from "node:fs/promises"
import { type Name, pathOf } from "./names.ts"
import { hasGit } from "./working-tree.ts"

/** Folders that are looked into: what a package manager installs may have any number of them. */
const mostFolders = 5_000

/**
 * The repositories in what git ignores, of which it says nothing: those nearest to the top, where there is no end of
 * folders.
 */
export async function repositoriesBelow(root: string, ignored: readonly Name[]): Promise<Name[]> {
  const found: Name[] = []
  const folders = ignored.filter((name) => name.endsWith("/")).map((name) => name.slice(0, -1))
  // It grows as it is gone through.
  for (const folder of folders) {
    if (await hasGit(root, folder)) found.push(folder)
    else if (folders.length < mostFolders) folders.push(...(await foldersIn(root, folder)))
  }
  return found
}

async function foldersIn(root: string, folder: Name): Promise<Name[]> {
  // With "buffer", Bun, which runs opencode, forgets what kind of entry each one is.
  const options = { encoding: "latin1", withFileTypes: true } as const
  const entries = await readdir(pathOf(root, folder), options).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${folder}/${name}`)
}
