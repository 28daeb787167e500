import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"

/** A process as the operating system tells of it: gone, or there. Without `start` it does not say since when. */
export type Sighting = { isThere: false } | { isThere: true; start?: string | undefined }

/** How the operating system is asked. */
export type ProcessReaders = {
  platform: NodeJS.Platform
  /** Signal 0. @throws with the code ESRCH where no process has this pid, EPERM where it may not be signalled. */
  signal(pid: number): void
  readFile(path: string): Promise<string>
  /** What the program writes to stdout. Rejects where it fails. */
  run(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<string>
  /** Milliseconds that pass. */
  now(): number
}

export type Processes = { see(pid: number): Promise<Sighting> }

/** How long a start that a program had to be run for is good, while its pid is always there. Milliseconds. */
const goodForMs = 60_000

/**
 * Tells a process by its pid and its start, in words that no later process of the same pid shares, and that depend
 * on nothing that may change while it runs: neither host name, nor time zone, nor language.
 *
 * A pid means something in its own pid namespace alone. A holder in another container, or outside of this one, is
 * looked for here, is not found under that pid and that start, and so counts as dead. That is decided so because the
 * next container on a folder has a namespace of its own: were the pids of other namespaces taken for alive, nothing
 * that a container leaves would ever be taken over. Two containers on one opencode store at the same time are the
 * price: each takes the other's jobs for left behind.
 */
export function createProcesses(readers: ProcessReaders = system): Processes {
  const known = new Map<number, { start: string | undefined; at: number }>()

  async function see(pid: number): Promise<Sighting> {
    if (!isThere(pid)) {
      known.delete(pid)
      return { isThere: false }
    }
    if (readers.platform === "linux") return linux(pid)
    const before = known.get(pid)
    if (before && readers.now() - before.at < goodForMs) return { isThere: true, start: before.start }
    const seen = await (readers.platform === "win32" ? windows(pid) : unix(pid))
    if (seen.isThere) known.set(pid, { start: seen.start, at: readers.now() })
    return seen
  }

  /** Somebody else's process, which may not be signalled, is there all the same. */
  function isThere(pid: number): boolean {
    try {
      readers.signal(pid)
      return true
    } catch (error) {
      return error instanceof Error && "code" in error && error.code === "EPERM"
    }
  }

  /** Ticks since the machine was started, and which start of the machine that was. */
  async function linux(pid: number): Promise<Sighting> {
    try {
      const stat = await readers.readFile(`/proc/${pid}/stat`)
      // Behind the name, which may hold anything, in parentheses: state is field 3, the start time is field 22.
      const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      if (isZombie(state)) return { isThere: false }
      const boot = (await readers.readFile("/proc/sys/kernel/random/boot_id")).trim()
      return { isThere: true, start: `${boot} ${fields[18]}` }
    } catch {
      return unread(pid)
    }
  }

  async function unix(pid: number): Promise<Sighting> {
    try {
      const env = { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" }
      const line = await readers.run("ps", ["-o", "stat=", "-o", "lstart=", "-p", `${pid}`], env)
      const [state = "", ...start] = line.trim().split(/\s+/)
      if (isZombie(state)) return { isThere: false }
      return { isThere: true, start: start.join(" ") || undefined }
    } catch {
      return unread(pid)
    }
  }

  async function windows(pid: number): Promise<Sighting> {
    const command = `(Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}').CreationDate.ToFileTimeUtc()`
    try {
      const args = ["-NoProfile", "-NonInteractive", "-Command", command]
      const start = await readers.run("powershell.exe", args, process.env)
      return { isThere: true, start: start.trim() || undefined }
    } catch {
      return unread(pid)
    }
  }

  /** It may have ended just now, which is why nothing could be read of it. */
  const unread = (pid: number): Sighting => ({ isThere: isThere(pid) })

  return { see }
}

/** A zombie is dead, though its pid is still taken. */
const isZombie = (state: string) => /^[ZX]/.test(state)

const system: ProcessReaders = {
  platform: process.platform,
  signal: (pid) => void process.kill(pid, 0),
  readFile: (path) => readFile(path, "utf8"),
  run: (command, args, env) =>
    new Promise((resolve, reject) => {
      execFile(command, args, { env, windowsHide: true, timeout: 10_000 }, (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      )
    }),
  now: () => performance.now(),
}
