import { spawn, spawnSync } from "node:child_process"
import { join } from "node:path"
import { build } from "esbuild"
import * as z from "zod"
import type { Attack } from "./another-user-process.ts"

/** Nobody, on all Linuxes: a user who owns nothing. */
const nobody = { uid: 65_534, gid: 65_534 }
/** Nothing of ours: not even a folder that they could not enter. */
const elsewhere = { cwd: "/", env: {} }

/** Root alone can be two users. */
export const canBeTwoUsers =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  spawnSync(process.execPath, ["-e", ""], { ...nobody, ...elsewhere }).status === 0

export type AnotherUser = {
  /** What came of each attempt: what was read or answered, or the error's code. */
  attempt(attack: Attack, ...words: string[]): Promise<string[]>
  end(): void
}

/** A process of another user of this machine. Where there cannot be one: of this user. */
export async function anotherUser(): Promise<AnotherUser> {
  const bundled = await build({
    entryPoints: [join(import.meta.dirname, "another-user-process.ts")],
    bundle: true,
    platform: "node",
    format: "cjs",
    write: false,
    logLevel: "warning",
  })
  // Not from a file: they may not be able to read any of ours.
  const child = spawn(process.execPath, ["-e", bundled.outputFiles[0]?.text ?? ""], {
    ...(canBeTwoUsers && nobody),
    ...elsewhere,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  })
  const waiting = new Map<number, (came: string[]) => void>()
  child.on("message", (message) => {
    const { id, came } = Came.parse(message)
    waiting.get(id)?.(came)
    waiting.delete(id)
  })
  let last = 0
  return {
    attempt: (attack, ...words) =>
      new Promise((resolve) => {
        const id = ++last
        waiting.set(id, resolve)
        child.send([String(id), attack, ...words])
      }),
    end: () => void child.kill(),
  }
}

const Came = z.object({ id: z.number(), came: z.array(z.string()) })
