import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { atExit } from "./cleanup.ts"

export interface TempFolder {
  readonly path: string
  remove(): void
}

/** A folder of its own, gone at the latest when this process ends. */
export function tempFolder(name: string): TempFolder {
  const path = mkdtempSync(join(realpathSync(tmpdir()), `troupe-${name}-`))
  // A process that was just killed may still be writing its last file.
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  const forget = atExit(remove)
  return {
    path,
    remove: () => {
      forget()
      remove()
    },
  }
}
