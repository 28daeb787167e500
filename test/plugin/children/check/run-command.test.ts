import { spawn } from "node:child_process"
import { getEventListeners } from "node:events"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "esbuild"
import { afterAll, describe, expect, it, onTestFinished } from "vitest"
import { startGuard } from "../../../../src/plugin/children/check/guard.ts"
import { runCommand } from "../../../../src/plugin/children/check/run-command.ts"
import { longestTail } from "../../../../src/plugin/children/check/tail.ts"
import { tempFolder } from "../../../support/temp-folder.ts"
import { poll } from "../../../support/waiters.ts"

const folder = tempFolder("check")
afterAll(() => folder.remove())

const run = (command: string, options: Partial<Parameters<typeof runCommand>[1]> = {}) =>
  runCommand(command, {
    directory: folder.path,
    limitMs: 60_000,
    signal: new AbortController().signal,
    ...options,
  })

const isThere = (pid: number) => {
  try {
    process.kill(pid, 0)
    // One that has ended may wait for its parent to hear of it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}
const written = (name: string) =>
  poll(`the pid in ${name}`, async () => {
    const path = join(folder.path, name)
    const pid = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0
    return pid > 0 ? pid : undefined
  })

/** The processes that this one has started and that are there, zombies left out. */
const children = () => {
  const tasks = readdirSync("/proc/self/task")
  const pids = tasks.flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  )
  return pids.filter(isThere)
}

/** Runs a command in a process of its own, which is killed with all of its group as soon as `isDue`. */
async function runAndKill(command: string, isDue: () => Promise<unknown>): Promise<void> {
  const outfile = join(folder.path, "run-command.mjs")
  const source = join(import.meta.dirname, "../../../../src/plugin/children/check/run-command.ts")
  await build({ entryPoints: [source], outfile, bundle: true, format: "esm", platform: "node" })
  const given = { directory: folder.path, limitMs: 60_000 }
  const script = `
const { runCommand } = await import(${JSON.stringify(pathToFileURL(outfile).href)})
const { signal } = new AbortController()
await runCommand(${JSON.stringify(command)}, { ...${JSON.stringify(given)}, signal })`
  const killed = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: "ignore",
    detached: true,
  })
  await isDue()
  process.kill(-(killed.pid ?? 0), "SIGKILL")
}

describe("A command that is run as a check", () => {
  it("runs in the shell, in the folder of its job, and tells its exit code and what it wrote, errors included", async () => {
    expect(await run("pwd; echo bad >&2; exit 3")).toEqual({ exitCode: 3, output: `${folder.path}\nbad` })
  })

  it("reads an input that is over", async () => {
    expect(await run("cat; echo end")).toEqual({ exitCode: 0, output: "end" })
  })

  it("may have quotes, dollars and several lines, and begin with a dash", async () => {
    expect(await run(`A='x "y"'\necho "$A" $0`)).toMatchObject({ exitCode: 0, output: 'x "y" /bin/sh' })
    expect(await run("-x")).toMatchObject({ exitCode: 127 })
  })

  it.each([
    ["there is no such command", "no-such-command-at-all", 127],
    ["it may not be executed", "./plain", 126],
    ["the line cannot be read", "if then", 2],
    ["a signal ends it", "kill -s SEGV $$", 139],
  ])("fails as it does in any shell where %s", async (_, command, exitCode) => {
    writeFileSync(join(folder.path, "plain"), "", { mode: 0o644 })
    expect(await run(command)).toMatchObject({ exitCode })
  })

  it("says so where it cannot even be started", async () => {
    const directory = join(folder.path, "gone")
    await expect(run("true", { directory })).rejects.toThrow(
      `in ${directory} it could not be started: spawn /bin/sh ENOENT`,
    )
  })

  it("keeps the end of what it writes, and no more than that in memory", async () => {
    const before = process.memoryUsage().rss
    // Far more than what lies about until it is collected: that alone is some 45 MB.
    const { exitCode, output } = await run(
      "yes 0123456789012345678901234567890123456789 | head -c 300000000; echo; echo last",
    )
    expect(exitCode).toBe(0)
    expect(output.length).toBe(longestTail + 1)
    expect(output).toMatch(/^….*\nlast$/s)
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000)
  })

  it("may write anything: what a terminal would carry out is left out, and what is no text does no harm", async () => {
    expect((await run("printf '\\033[31mred\\033[0m \\033]0;title\\007\\000'")).output).toBe("red")
    expect((await run("head -c 100000 /dev/urandom")).output.length).toBeLessThanOrEqual(longestTail + 1)
    expect((await run("exec >&- 2>&-; exit 4")).exitCode).toBe(4)
  })

  it("does not know what lets one into opencode's server", async () => {
    const env = {
      ...process.env,
      OPENCODE_SERVER_PASSWORD: "a",
      OPENCODE_SERVER_USERNAME: "b",
      OPENCODE_PASSWORD: "c",
      OTHER: "d",
    }
    const secrets = "$OPENCODE_SERVER_PASSWORD$OPENCODE_SERVER_USERNAME$OPENCODE_PASSWORD"
    expect((await run(`echo "[${secrets}$OTHER]"`, { env })).output).toBe("[d]")
  })

  it("takes along what it has left running in the background", async () => {
    expect(await run("sleep 600 & echo $! > left.pid; echo done")).toEqual({ exitCode: 0, output: "done" })
    expect(isThere(await written("left.pid"))).toBe(false)
  })

  it("does not wait for what has left its group, which goes on", async () => {
    const { output } = await run(
      "setsid sh -c 'echo $$ > daemon.pid; exec sleep 600' & until [ -s daemon.pid ]; do sleep 0.02; done; echo done",
    )
    expect(output).toBe("done")
    const daemon = await written("daemon.pid")
    expect(isThere(daemon)).toBe(true)
    process.kill(daemon)
  })

  it("is ended with all that it has started where its time is up, and has no exit code then", async () => {
    expect(await run("sleep 600 & echo $! > late.pid; echo so far; wait", { limitMs: 500 })).toStrictEqual({
      output: "so far",
    })
    expect(isThere(await written("late.pid"))).toBe(false)
  })

  it("is ended where nobody waits for it any more, even if it does not want to", async () => {
    const cancel = new AbortController()
    const running = run("trap '' TERM; echo $$ > stubborn.pid; while :; do sleep 1; done", {
      signal: cancel.signal,
    })
    const pid = await written("stubborn.pid")
    cancel.abort()
    await expect(running).rejects.toThrow()
    expect(isThere(pid)).toBe(false)
  })

  // Its shell says that a `sleep` was ended, and nobody reads that any more where opencode is killed.
  const untilTidy = (name: string) =>
    `exec 2>/dev/null; trap 'sleep 0.2; echo tidy > ${name}.tidy; exit' TERM; echo $$ > ${name}.pid; while :; do sleep 0.05; done`
  const isTidy = (name: string) => existsSync(join(folder.path, `${name}.tidy`))

  it("may put its things in order where it is ended", async () => {
    const cancel = new AbortController()
    const running = run(untilTidy("ended"), { signal: cancel.signal })
    await written("ended.pid")
    cancel.abort()
    await expect(running).rejects.toThrow()
    expect(isTidy("ended")).toBe(true)
  })

  it("is ended where opencode itself is killed, even if it does not want to", async () => {
    await runAndKill("trap '' TERM; echo $$ > orphan.pid; while :; do sleep 1; done", () =>
      written("orphan.pid"),
    )
    const pid = await written("orphan.pid")
    await poll("its end", async () => (isThere(pid) ? undefined : true))
  })

  it("may put its things in order where opencode itself is killed", async () => {
    await runAndKill(untilTidy("orphan-at-work"), () => written("orphan-at-work.pid"))
    await poll("its end", async () => (isTidy("orphan-at-work") ? true : undefined))
  })

  it("leaves nobody behind that watches over it, or listens for its end", async () => {
    const before = children()
    const { signal } = new AbortController()
    await run("true", { signal })
    expect(getEventListeners(signal, "abort")).toEqual([])
    await poll("the end of its guard", async () =>
      children().every((pid) => before.includes(pid)) ? true : undefined,
    )
  })

  it("is not ended by its guard once that is released: by then its number may be that of other processes", async () => {
    const before = children()
    const other = spawn("sleep", ["600"], { detached: true, stdio: "ignore" })
    onTestFinished(() => void other.kill("SIGKILL"))
    const guard = startGuard()
    await guard.answerFor(other.pid ?? 0)
    guard.release()
    await poll("the end of the guard", async () =>
      children().every((pid) => [...before, other.pid].includes(pid)) ? true : undefined,
    )
    expect([other.exitCode, other.signalCode]).toEqual([null, null])
  })

  it("is not begun where nobody waits for it in the first place", async () => {
    await expect(run("touch begun", { signal: AbortSignal.abort() })).rejects.toThrow()
    expect(existsSync(join(folder.path, "begun"))).toBe(false)
  })

  it("is not begun either where everybody has left before somebody answers for it", async () => {
    const cancel = new AbortController()
    const running = run("touch too-late; sleep 600", { signal: cancel.signal })
    cancel.abort()
    await expect(running).rejects.toThrow()
    expect(existsSync(join(folder.path, "too-late"))).toBe(false)
  })
})
