import { describe, expect, it, onTestFinished, vi } from "vitest"
import { isOfThisProcess, takeLease } from "../../../src/plugin/records/lease.ts"
import {
  createProcesses,
  type ProcessReaders,
  type Sighting,
} from "../../../src/plugin/util/process-identity.ts"

const boot = "6f0c4b0e-boot"

/** Fields 1 to 22 of a process in /proc. */
const statOf = (pid: number, start: number, { state = "S", name = "opencode" } = {}) =>
  `${pid} (${name}) ${[state, ...Array.from({ length: 18 }, (_, index) => index), start, 0, 0].join(" ")}\n`

function noSuchProcess(code: "ESRCH" | "EPERM"): never {
  throw Object.assign(new Error(`kill ${code}`), { code })
}

/** An operating system in which one process runs, pid 7, but for what is said otherwise. */
function readersOf(given: Partial<ProcessReaders>): ProcessReaders {
  return {
    platform: "linux",
    signal: (pid) => (pid === 7 ? undefined : noSuchProcess("ESRCH")),
    readFile: async () => Promise.reject(new Error("ENOENT")),
    run: async () => Promise.reject(new Error("not found")),
    now: () => 0,
    ...given,
  }
}

const linux = (stat: string, more: Partial<ProcessReaders> = {}) =>
  readersOf({ readFile: async (path) => (path.startsWith("/proc/sys") ? `${boot}\n` : stat), ...more })

const mac = (line: string, more: Partial<ProcessReaders> = {}) =>
  readersOf({ platform: "darwin", run: async () => line, ...more })

const windows = (line: string, more: Partial<ProcessReaders> = {}) =>
  readersOf({ platform: "win32", run: async () => line, ...more })

const see = (readers: ProcessReaders, pid = 7) => createProcesses(readers).see(pid)

describe("A process", () => {
  it.each<[string, ProcessReaders, string]>([
    ["Linux", linux(statOf(7, 4711)), `${boot} 4711`],
    ["Linux, whatever its name is", linux(statOf(7, 4711, { name: "a) Z 1 (b" })), `${boot} 4711`],
    ["macOS", mac("Ss   Thu Jan  1 09:05:03 2026\n"), "Thu Jan 1 09:05:03 2026"],
    ["Windows", windows("134117655030000000\r\n"), "134117655030000000"],
  ])("is told by its start: %s", async (_, readers, start) => {
    expect(await see(readers)).toEqual({ isThere: true, start })
  })

  it.each<[string, ProcessReaders]>([
    ["Linux", linux(statOf(7, 4711))],
    ["macOS", mac("Ss   Thu Jan  1 09:05:03 2026\n")],
    ["Windows", windows("134117655030000000\r\n")],
  ])("that is gone is gone: %s", async (_, readers) => {
    expect(await see(readers, 8)).toEqual({ isThere: false })
  })

  it.each<[string, ProcessReaders]>([
    ["Linux", linux(statOf(7, 4711, { state: "Z" }))],
    ["Linux, as it is removed", linux(statOf(7, 4711, { state: "X" }))],
    ["macOS", mac("Z+   Thu Jan  1 09:05:03 2026\n")],
  ])("that is a zombie is dead: %s", async (_, readers) => {
    expect(await see(readers)).toEqual({ isThere: false })
  })

  it.each<[string, ProcessReaders]>([
    ["Linux", linux(statOf(7, 4711), { signal: () => noSuchProcess("EPERM") })],
    ["macOS", mac("Ss   Thu Jan  1 09:05:03 2026\n", { signal: () => noSuchProcess("EPERM") })],
    ["Windows", windows("134117655030000000", { signal: () => noSuchProcess("EPERM") })],
  ])("of somebody else, which may not be signalled, is there: %s", async (_, readers) => {
    expect(await see(readers)).toMatchObject({ isThere: true, start: expect.stringMatching(/./) })
  })

  it.each<[string, ProcessReaders]>([
    ["Linux", readersOf({})],
    ["macOS", readersOf({ platform: "darwin" })],
    ["macOS, where ps says nothing", mac("\n")],
    ["Windows", readersOf({ platform: "win32" })],
    ["Windows, where PowerShell says nothing", windows("\r\n")],
  ])("whose start cannot be read is there all the same: %s", async (_, readers) => {
    expect(await see(readers)).toEqual({ isThere: true })
  })

  it.each(["linux", "darwin", "win32"] as const)(
    "that ends while it is looked at is gone: %s",
    async (platform) => {
      const looks = [undefined, "ESRCH" as const]
      const signal = () => {
        const code = looks.shift()
        if (code) noSuchProcess(code)
      }
      expect(await see(readersOf({ platform, signal }))).toEqual({ isThere: false })
    },
  )

  it("is asked after in a way that neither language nor time zone changes", async () => {
    const run = vi.fn<ProcessReaders["run"]>(async () => "Ss Thu Jan  1 09:05:03 2026")
    await see(mac("", { run }))
    expect(run.mock.calls).toEqual([
      [
        "ps",
        ["-o", "stat=", "-o", "lstart=", "-p", "7"],
        expect.objectContaining({ LC_ALL: "C", TZ: "UTC" }),
      ],
    ])
  })

  it.each(["darwin", "win32"] as const)(
    "is asked after by a program once a minute, not at every look: %s",
    async (platform) => {
      let now = 0
      const there = new Set([7])
      const run = vi.fn<ProcessReaders["run"]>(async () => "Ss Thu Jan  1 09:05:03 2026")
      const signal = (pid: number) => (there.has(pid) ? undefined : noSuchProcess("ESRCH"))
      const processes = createProcesses(readersOf({ platform, run, signal, now: () => now }))
      for (now = 0; now < 60_000; now += 5_000) await processes.see(7)
      expect(run).toHaveBeenCalledTimes(1)
      await processes.see(7)
      expect(run).toHaveBeenCalledTimes(2)
      there.clear()
      expect(await processes.see(7)).toEqual({ isThere: false })
      there.add(7)
      await processes.see(7)
      expect(run).toHaveBeenCalledTimes(3)
    },
  )

  it("is told on this machine", async () => {
    const own = await createProcesses().see(process.pid)
    expect(own).toEqual({ isThere: true, start: expect.stringMatching(/\d/) })
    expect(await createProcesses().see(process.pid)).toEqual(own)
    expect(await createProcesses().see(2 ** 22 + 1)).toEqual({ isThere: false })
  })
})

describe("The holder of a lease", () => {
  /** This process has pid 1; what is seen under other pids is given. */
  function holderOf(seen: Record<number, Sighting>) {
    const own: Sighting = { isThere: true, start: "own start" }
    const see = async (pid: number) => (pid === 1 ? own : (seen[pid] ?? { isThere: false }))
    const holder = takeLease({ see }, 1)
    onTestFinished(holder.drop)
    return holder
  }
  const theirs = { pid: 7, process: "their start", instance: "theirs" }

  it("is named by pid, start and instance, and by nothing that may change while it runs", async () => {
    const holder = holderOf({})
    expect(await holder.lease).toEqual({ pid: 1, process: "own start", instance: holder.instance })
    expect(holder.isOurs(await holder.lease)).toBe(true)
    expect(holder.isOurs(theirs)).toBe(false)
  })

  it.each<[string, Sighting | undefined, boolean]>([
    ["is there with the same start", { isThere: true, start: "their start" }, true],
    ["is there, and its start cannot be read", { isThere: true }, true],
    ["is gone", { isThere: false }, false],
    ["has given its pid to a later process", { isThere: true, start: "a later start" }, false],
  ])("lives or not where its process %s", async (_, seen, isHeld) => {
    expect(await holderOf(seen ? { 7: seen } : {}).isHeld(theirs)).toBe(isHeld)
  })

  it("lives, where its own start could not be read, as long as anything has its pid", async () => {
    const unread = takeLease({ see: async () => ({ isThere: true }) }, 7)
    onTestFinished(unread.drop)
    const lease = { ...(await unread.lease), instance: "of another process" }
    expect(await holderOf({ 7: { isThere: true, start: "any" } }).isHeld(lease)).toBe(true)
    expect(await holderOf({}).isHeld(lease)).toBe(false)
  })

  it("is of this process where one of its instances had it, closed or not", async () => {
    const earlier = holderOf({})
    const lease = await earlier.lease
    earlier.drop()
    expect(isOfThisProcess(lease)).toBe(true)
    expect(isOfThisProcess({ ...lease, instance: "of another process" })).toBe(false)
  })

  it("in this process lives until its instance is closed, and not in a process that had its pid before", async () => {
    const ours = holderOf({})
    const beside = holderOf({})
    expect(await ours.isHeld(await beside.lease)).toBe(true)
    beside.drop()
    expect(await ours.isHeld(await beside.lease)).toBe(false)
    expect(await ours.isHeld({ pid: 1, process: "own start", instance: "long closed" })).toBe(false)
  })
})
