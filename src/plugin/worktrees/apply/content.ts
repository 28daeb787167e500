import { createHash } from "node:crypto"
import { lstat, open, readlink } from "node:fs/promises"
import * as z from "zod"
import { codeOf } from "../errors.ts"
import { type Name, pathOf } from "../names.ts"
import { hasRealFolders } from "./files.ts"

/** What is in one place, as far as git would tell. A folder is no file: it counts as nothing. */
export const Content = z.discriminatedUnion("type", [
  z.object({ type: z.literal("none") }),
  z.object({ type: z.literal("link"), to: z.string() }),
  z.object({ type: z.literal("file"), hash: z.string(), isExecutable: z.boolean() }),
])
export type Content = z.infer<typeof Content>

export const none = { type: "none" } as const satisfies Content

export const contentIn = async (root: string, name: Name): Promise<Content> =>
  (await hasRealFolders(root, name)) ? contentAt(pathOf(root, name)) : none

export async function contentAt(path: Buffer): Promise<Content> {
  const found = await statOrNothing(path)
  if (found?.isSymbolicLink()) {
    return { type: "link", to: (await readlink(path, { encoding: "buffer" })).toString("latin1") }
  }
  if (!found?.isFile()) return none
  return { type: "file", hash: await hashOf(path), isExecutable: Boolean(found.mode & 0o100n) }
}

export const isSame = (one: Content, other: Content): boolean => JSON.stringify(one) === JSON.stringify(other)

async function hashOf(path: Buffer): Promise<string> {
  const hash = createHash("sha256")
  // Bun makes no stream of a path that is no text.
  const file = await open(path)
  try {
    const piece = Buffer.alloc(2 ** 16)
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, piece.length)
      if (bytesRead === 0) return hash.digest("hex")
      hash.update(piece.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

/** Tells whether a file was touched, without reading it. Folders are all the same, as no file is. */
export async function stampIn(root: string, name: Name): Promise<string> {
  const found = (await hasRealFolders(root, name)) ? await statOrNothing(pathOf(root, name)) : undefined
  if (!found || found.isDirectory()) return ""
  const { ino, size, mode, mtimeNs, ctimeNs } = found
  return [ino, size, mode, mtimeNs, ctimeNs].join(" ")
}

async function statOrNothing(path: Buffer) {
  try {
    return await lstat(path, { bigint: true })
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined
    throw error
  }
}
