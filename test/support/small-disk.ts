import { execFileSync } from "node:child_process"
import { closeSync, cpSync, mkdirSync, openSync, rmSync, statSync, truncateSync, writeSync } from "node:fs"
import { join } from "node:path"
import { atExit } from "./cleanup.ts"
import { tempFolder } from "./temp-folder.ts"

/** A folder on a disk of its own, which can be filled and emptied again. */
export interface SmallDisk {
  /** @param left bytes for which there is still room. Default: none */
  fill(left?: number): void
  free(): void
  /** Nothing can be written there while `act` runs. */
  whileReadOnly(act: () => Promise<void>): Promise<void>
  /** @param at where its folder has been moved to since */
  remove(at?: string): void
}

/** Why this machine cannot have one; undefined where it can. Looks by making one. */
export function noSmallDisk(): string | undefined {
  if (process.platform !== "linux") return "only Linux mounts a small disk for a test"
  const folder = tempFolder("disk")
  try {
    mount(folder.path)
    unmount(folder.path)
    return undefined
  } catch {
    return "this user may not mount a small disk"
  } finally {
    folder.remove()
  }
}

/** Puts what is in the folder on a small disk, which lies there from now on. */
export function smallDisk(folder: string): SmallDisk {
  const kept = tempFolder("disk-content")
  mkdirSync(folder, { recursive: true })
  cpSync(folder, kept.path, { recursive: true })
  mount(folder)
  const forget = atExit(() => unmount(folder))
  cpSync(kept.path, folder, { recursive: true })
  kept.remove()
  const ballast = join(folder, "ballast")
  return {
    fill: (left = 0) => {
      fill(ballast)
      truncateSync(ballast, Math.max(0, statSync(ballast).size - left))
    },
    async whileReadOnly(act) {
      remount(folder, "ro")
      await act().finally(() => remount(folder, "rw"))
    },
    free: () => rmSync(ballast, { force: true }),
    remove: (at = folder) => {
      forget()
      unmount(at)
    },
  }
}

/**
 * Puts a layer over a folder, as a container has over its image: what is in the folder cannot be moved there, only copied
 * and removed.
 * @returns what takes it away again
 */
export function layerOver(folder: string): () => void {
  const disk = tempFolder("layer")
  mount(disk.path)
  const [upper, work] = [join(disk.path, "upper"), join(disk.path, "work")]
  for (const each of [upper, work]) mkdirSync(each)
  const options = `lowerdir=${folder},upperdir=${upper},workdir=${work},redirect_dir=off`
  const removeDisk = () => {
    unmount(disk.path)
    disk.remove()
  }
  try {
    execFileSync("mount", ["-t", "overlay", "-o", options, "overlay", folder], { stdio: "pipe" })
  } catch (error) {
    removeDisk()
    throw error
  }
  const remove = () => {
    unmount(folder)
    removeDisk()
  }
  const forget = atExit(remove)
  return () => {
    forget()
    remove()
  }
}

/** Why this machine cannot have one; undefined where it can. Looks by making one. */
export function noLayer(): string | undefined {
  const noDisk = noSmallDisk()
  if (noDisk !== undefined) return noDisk
  const folder = tempFolder("layered")
  try {
    layerOver(folder.path)()
    return undefined
  } catch {
    return "this system has no overlay"
  } finally {
    folder.remove()
  }
}

function mount(folder: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=32m", "tmpfs", folder], { stdio: "pipe" })
}

function remount(folder: string, how: "ro" | "rw"): void {
  execFileSync("mount", ["-o", `remount,${how}`, folder], { stdio: "pipe" })
}

/** Also where a process still has a file open there. */
function unmount(folder: string): void {
  execFileSync("umount", ["--lazy", folder], { stdio: "pipe" })
}

/** Writes until not a byte more goes in. */
function fill(file: string): void {
  const descriptor = openSync(file, "a")
  try {
    for (let size = 2 ** 20; size >= 1; size = size > 1 ? size / 2 : 0) {
      const piece = Buffer.alloc(size)
      try {
        while (writeSync(descriptor, piece) === size);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error
      }
    }
  } finally {
    closeSync(descriptor)
  }
}
