import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { withLock } from "../../../src/plugin/worktrees/lock.ts"
import { gate } from "../../support/gate.ts"
import { tempFolder } from "../../support/temp-folder.ts"
import { type LockProcess, lockProcesses } from "./support/lock-processes.ts"

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
    await Promise.all([1, 2, 3].map(() => withLock(file, act, { waitMs: patience })))
    expect(most).toBe(1)
  })

  it("of another process is waited for until that lets go of it", async () => {
    const file = lockFile()
    // The parent of this process lives as long as the test does.
    writeFileSync(file, `${process.ppid}`)
    await expect(withLock(file, async () => "mine", { waitMs: 1 })).rejects.toMatchObject({ kind: "locked" })
    const waiting = withLock(file, async () => "mine", { waitMs: patience })
    rmSync(file)
    expect(await waiting).toBe("mine")
  })

  it("is waited for no longer than its caller wants", async () => {
    const file = lockFile()
    writeFileSync(file, `${process.ppid}`)
    const caller = new AbortController()
    const waiting = withLock(file, async () => "mine", { waitMs: patience, signal: caller.signal })
    caller.abort()
    await expect(waiting).rejects.toMatchObject({ kind: "interrupted" })
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

  it("left behind goes to one process alone, whenever others come while one takes it over", async () => {
    const temp = tempFolder("lock")
    const processes = await lockProcesses()
    onTestFinished(() => {
      processes.remove()
      temp.remove()
    })
    const [slow, second, third] = [processes.start(), processes.start(), processes.start()]
    const left = `${deadPid()}`

    /** The second comes right before that change of the slow one, the third before this one, if there are so many. */
    async function race(that: number, thisOne: number): Promise<number> {
      const file = join(temp.path, `${that}-${thisOne}`)
      writeFileSync(file, left)
      const holders: LockProcess[] = []
      const take = async (each: LockProcess) => {
        if ((await each.take(file)) === "taken") holders.push(each)
      }
      let change = 0
      let report = await slow.take(file, { isStepped: true })
      for (; report === "paused"; change++) {
        if (change === that) await take(second)
        if (change === thisOne) await take(third)
        report = await slow.step()
      }
      if (report === "taken") holders.push(slow)
      expect(holders, `when others came before its changes ${that} and ${thisOne}`).toHaveLength(1)
      await Promise.all(holders.map((each) => each.release()))
      expect(readdirSync(temp.path)).toEqual([])
      return change
    }

    const never = -1
    const changes = await race(never, never)
    for (let that = 0; that < changes; that++)
      for (let thisOne = that; thisOne < changes; thisOne++) await race(that, thisOne)
  })
})
