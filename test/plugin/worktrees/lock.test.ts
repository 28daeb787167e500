import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"
import { build } from "esbuild"
import { describe, expect, it, onTestFinished } from "vitest"
import { withLock } from "../../../src/plugin/worktrees/lock.ts"
import { gate } from "../../support/gate.ts"
import { tempFolder } from "../../support/temp-folder.ts"

/** Longer than any test. Milliseconds. */
const patience = 25_000

function lockFile(): string {
  const temp = tempFolder("lock")
  onTestFinished(temp.remove)
  return join(temp.path, "lock")
}

/** One that is gone. */
const deadPid = () => spawnSync(process.execPath, ["--version"]).pid

describe("A lock", () => {
  it("is free again once what needed it has ended, and where that has failed", async () => {
    const file = lockFile()
    expect(await withLock(file, async () => existsSync(file))).toBe(true)
    await expect(withLock(file, () => Promise.reject(new Error("no")))).rejects.toThrow("no")
    expect(existsSync(file)).toBe(false)
    expect(await withLock(file, async () => "mine")).toBe("mine")
  })

  it("that is held is refused at once to who does not wait", async () => {
    const file = lockFile()
    const done = gate<void>()
    const holding = withLock(file, () => done.passed)
    await expect(withLock(file, async () => "mine")).rejects.toMatchObject({ kind: "locked" })
    done.open()
    await holding
  })

  it("is had in this process by one after the other", async () => {
    const file = lockFile()
    let within = 0
    let most = 0
    const act = async () => {
      most = Math.max(most, ++within)
      await new Promise((resolve) => setImmediate(resolve))
      within--
    }
    await Promise.all([1, 2, 3].map(() => withLock(file, act, patience)))
    expect(most).toBe(1)
  })

  it("of another process is waited for until that lets go of it", async () => {
    const file = lockFile()
    // The parent of this process lives as long as the test does.
    writeFileSync(file, `${process.ppid}`)
    await expect(withLock(file, async () => "mine", 1)).rejects.toMatchObject({ kind: "locked" })
    const waiting = withLock(file, async () => "mine", patience)
    rmSync(file)
    expect(await waiting).toBe("mine")
  })

  it.each([
    ["of a process that is gone", deadPid],
    ["that an earlier process of this one's pid has left", () => process.pid],
    ["of an earlier process whose pid a living one has by now", () => `${process.ppid} another start`],
    ["that names no process", () => "half a"],
  ])("%s is nobody's", async (_, left) => {
    const file = lockFile()
    writeFileSync(file, `${left()}`)
    expect(await withLock(file, async () => "mine")).toBe("mine")
  })

  it("left behind goes to one alone of all that find it", async () => {
    const file = lockFile()
    writeFileSync(file, `${deadPid()}`)
    const done = gate<void>()
    const tries = [1, 2, 3].map((each) => withLock(file, () => done.passed.then(() => each)))
    const first = await Promise.race(tries.map((each) => each.catch(() => "refused")))
    expect(first).toBe("refused")
    done.open()
    const ends = await Promise.allSettled(tries)
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  })

  it("left behind goes from one process to the other of all that find it at once, and nothing of it stays", async () => {
    const temp = tempFolder("lock")
    onTestFinished(temp.remove)
    const processes = await Promise.all([1, 2, 3, 4].map(() => lockingProcess(temp.path)))
    for (let round = 0; round < 60; round++) {
      const folder = join(temp.path, `${round}`)
      mkdirSync(folder)
      const file = join(folder, "lock")
      writeFileSync(file, "999999999 gone")
      const ends = await Promise.all(processes.map((take) => take(file)))
      expect(ends).toEqual(["alone", "alone", "alone", "alone"])
      expect(readdirSync(folder)).toEqual([])
    }
  }, 120_000)
})

/** Takes a lock in a process of its own, and says whether nobody else had it meanwhile. */
async function lockingProcess(folder: string): Promise<(file: string) => Promise<string>> {
  const module = join(folder, "lock.mjs")
  const source = join(import.meta.dirname, "../../../src/plugin/worktrees/lock.ts")
  await build({ entryPoints: [source], outfile: module, bundle: true, format: "esm", platform: "node" })
  const script = `
    import { closeSync, openSync, unlinkSync } from "node:fs"
    import { createInterface } from "node:readline"
    import { withLock } from ${JSON.stringify(pathToFileURL(module).href)}
    const within = async (mark) => {
      closeSync(openSync(mark, "wx"))
      await new Promise((resolve) => setImmediate(resolve))
      unlinkSync(mark)
      return "alone"
    }
    for await (const file of createInterface({ input: process.stdin }))
      console.log(await withLock(file, () => within(file + ".mark"), ${patience}).catch(({ message }) => message))
  `
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["pipe", "pipe", "inherit"],
  })
  onTestFinished(() => void child.kill())
  const lines = createInterface({ input: child.stdout })
  return async (file) => {
    const said = once(lines, "line")
    child.stdin.write(`${file}\n`)
    return `${(await said)[0]}`
  }
}
