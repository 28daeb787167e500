import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { isDeep } from "../support/depth.ts"
import { processesWith } from "../support/processes.ts"
import { type TempFolder, tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

/** Everything that the demo creates goes here. */
let folder: TempFolder

beforeAll(() => {
  folder = tempFolder("demo-test")
})

afterAll(() => folder.remove())

test("prints one line for each change of its eight jobs, which all end as scripted", async () => {
  const demo = startDemo()
  const exit = await demo.exit
  const said = demo.output()
  expect(exit, said).toEqual({ code: 0, signal: null })
  for (const state of ["prompting.working", "created.queued", "prompting.retrying"]) {
    expect(said).toContain(state)
  }
  const ends = {
    entry: "done",
    licences: "failed",
    tests: "done",
    survey: "cancelled",
    links: "done",
    startup: "timedOut",
    notes: "done",
    changelog: "done",
  }
  for (const [id, state] of Object.entries(ends)) {
    expect(said).toMatch(new RegExp(`^ *[\\d.]+s {2}${id} +${state}`, "m"))
    expect(said).toContain(`<job id="${id}" state="${state}"`)
  }
  expect(said).toContain("All 8 jobs ended as expected: 5 done, 1 failed, 1 timed out, 1 cancelled")
  expect(said).not.toContain("\u001b")
  await expectNothingLeft()
}, 120_000)

const stops = [
  ["while opencode starts", "SIGTERM", 143, /Starting opencode/],
  ["while opencode starts", "SIGINT", 130, /Starting opencode/],
  ["while jobs run", "SIGINT", 130, /prompting\.working/],
] as const

test.each(isDeep ? stops : stops.slice(0, 1))(
  "leaves nothing behind when it is stopped %s by %s",
  async (_, signal, code, moment) => {
    const demo = startDemo()
    await poll(`${moment} of the demo`, () => moment.test(demo.output()) || undefined, { timeoutMs: 60_000 })
    demo.process.kill(signal)
    expect(await demo.exit).toEqual({ code, signal: null })
    expect(demo.output()).toContain("Stopped.")
    await expectNothingLeft()
  },
  90_000,
)

test("prints a link to the inspector, which --keep keeps running until Ctrl-C", async () => {
  const demo = startDemo("--keep")
  await poll("the end of the turn", () => /Press Ctrl-C to stop them/.test(demo.output()) || undefined, {
    timeoutMs: 50_000,
  })
  const link = demo.output().match(/http:\S+link=\S+/)?.[0] ?? ""
  expect((await fetch(link, { redirect: "manual" })).status).toBe(303)
  demo.process.kill("SIGINT")
  expect(await demo.exit).toMatchObject({ code: 0 })
  await expect(fetch(link)).rejects.toThrow()
  await expectNothingLeft()
})

test("explains itself, and refuses unknown flags", async () => {
  const help = startDemo("--help")
  expect(await help.exit).toMatchObject({ code: 0 })
  expect(help.output()).toContain("npm run demo")

  const unknown = startDemo("--fast")
  expect(await unknown.exit).toMatchObject({ code: 2 })
  expect(unknown.output()).toMatch(/'--fast'.*The flags are --keep and --help/)
})

function startDemo(...args: string[]) {
  const main = join(import.meta.dirname, "..", "..", "demo", "main.ts")
  const { CI: _, FORCE_COLOR: __, ...env } = process.env
  const demo: ChildProcess = spawn(process.execPath, ["--import", "tsx", main, ...args], {
    env: { ...env, TMPDIR: folder.path },
    stdio: ["ignore", "pipe", "pipe"],
  })
  // Failing tests leave nothing running either.
  onTestFinished(() => void demo.kill("SIGINT"))
  let output = ""
  demo.stdout?.setEncoding("utf8").on("data", (text) => {
    output += text
  })
  demo.stderr?.setEncoding("utf8").on("data", (text) => {
    output += text
  })
  const exit = once(demo, "close").then(([code, signal]) => ({ code, signal }))
  return { process: demo, output: () => output, exit }
}

/** No folder, and no process that uses one: ports close with their processes. */
async function expectNothingLeft(): Promise<void> {
  expect(readdirSync(folder.path).filter((name) => name.startsWith("troupe-"))).toEqual([])
  await poll("the end of the demo's processes", () => processesWith(folder.path).length === 0 || undefined, {
    timeoutMs: 2_000,
  })
}
