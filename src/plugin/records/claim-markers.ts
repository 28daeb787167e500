import { link, readFile, rm, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import { makeOwnFolder } from "../../util/own-folder.ts"
import { Lease } from "./stored-job.ts"

/** Marks that one process alone can make, and that all processes of this user see. */
export type Markers = {
  take(key: string, by: Lease): Promise<Marker>
  remove(key: string): Promise<void>
}

/**
 * `abandoned`: a crash of the machine has emptied it, so that whoever made it is gone. `unusable`: this user has no
 * folder in which files can be made so, and nobody else can make any.
 */
export type Marker =
  | { type: "taken" }
  | { type: "held"; by: Lease }
  | { type: "abandoned" }
  | { type: "unusable" }

/** Beside the notes of running inspectors. */
export function claimsFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_STATE_HOME || join(homedir(), ".local", "state"), "opencode-troupe", "claims")
}

export function createMarkers(folder = claimsFolder()): Markers {
  async function take(key: string, by: Lease): Promise<Marker> {
    const file = join(folder, key)
    const draft = `${file}.${by.instance}`
    try {
      await makeOwnFolder(folder)
      await writeFile(draft, JSON.stringify(by), { mode: 0o600 })
      return await make(draft, file)
    } catch {
      return { type: "unusable" }
    } finally {
      await rm(draft, { force: true }).catch(() => {})
    }
  }

  /** A link is made whole or not at all, with what it says: nobody ever finds a marker without its maker. */
  async function make(draft: string, file: string): Promise<Marker> {
    for (;;) {
      try {
        await link(draft, file)
        return { type: "taken" }
      } catch (error) {
        if (!hasCode(error, "EEXIST")) throw error
      }
      const held = await heldMarker(file)
      if (held) return held
    }
  }

  /** Nothing, where it has been removed meanwhile. */
  async function heldMarker(file: string): Promise<Marker | undefined> {
    try {
      const by = Lease.safeParse(parsed(await readFile(file, "utf8")))
      return by.success ? { type: "held", by: by.data } : { type: "abandoned" }
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined
      throw error
    }
  }

  return { take, remove: (key) => rm(join(folder, key), { force: true }) }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
