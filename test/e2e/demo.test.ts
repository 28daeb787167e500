import { type ChildProcess, execSync, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import type { Generation } from "../support/any-opencode.ts"
import { isDeep } from "../support/depth.ts"
import { whyNot } from "../support/generations.ts"
import { exchange } from "../support/inspect.ts"
import { opencodeBinary } from "../support/opencode-binary.ts"
import { processesWith } from "../support/processes.ts"
import { type TempFolder, tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

const started: Demo[] = []

afterAll(async () => {
  for (const demo of started) {
    // Failing tests leave nothing running either.
    demo.process.kill("SIGINT")
    await demo.exit
    demo.folder.remove()
  }
})

/** What a title says where its test does not run. */
const skipped = (generation: Generation) => {
  const reason = whyNot(generation)
  return reason === undefined ? "" : ` (skipped: ${reason})`
}

// They wait for their scripted models most of the time.
describe.concurrent("npm run demo", () => {
  test.skipIf(whyNot(1) !== undefined)(
    `shows eight jobs that all end as scripted, on opencode 1.18${skipped(1)}`,
    async () => {
      const demo = startDemo("--opencode", "1")
      expect(await demo.exit, demo.output()).toEqual({ code: 0, signal: null })
      expect(demo.output()).toContain("the real opencode 1.18")
      expectTheJobs(demo.output())
      await expectNothingLeft(demo)
    },
    120_000,
  )

  test.skipIf(whyNot(2) !== undefined)(
    `shows the same on opencode 2, without being asked for it, and --keep keeps the inspector until Ctrl-C${skipped(2)}`,
    async () => {
      const demo = startDemo("--keep")
      await poll("the end of the turn", () => /Press Ctrl-C to stop them/.test(demo.output()) || undefined, {
        timeoutMs: 100_000,
      })
      expect(demo.output()).toContain("the real opencode 2,")
      expectTheJobs(demo.output())
      const link = linkIn(demo.output())
      // The first may have been used: it opens once.
      const fresh = linkIn(demo.output().slice(demo.output().lastIndexOf("A fresh link")))
      expect(fresh).not.toBe(link)
      for (const each of [link, fresh]) expect((await exchange(each)).status).toBe(200)
      // A person pastes what the page says then, in a terminal of theirs.
      const refused = await (await exchange(fresh)).json()
      expect(execSync(refused.error.command, { encoding: "utf8" })).toContain(new URL(fresh).origin)
      demo.process.kill("SIGINT")
      expect(await demo.exit).toMatchObject({ code: 0 })
      await expect(fetch(link)).rejects.toThrow()
      await expectNothingLeft(demo)
    },
    120_000,
  )

  test("explains itself, and refuses unknown flags and an opencode 2 that is not there or is none", async () => {
    const [help, unknown, third, missing, older] = [
      startDemo("--help"),
      startDemo("--fast"),
      startDemo("--opencode", "3"),
      startDemoWith({ OPENCODE2: "/nonexistent" }),
      startDemoWith({ OPENCODE2: opencodeBinary() }),
    ] as const
    expect(await help.exit).toMatchObject({ code: 0 })
    expect(help.output()).toContain("npm run demo")
    expect(await unknown.exit).toMatchObject({ code: 2 })
    expect(unknown.output()).toMatch(/'--fast'.*The flags are --opencode 1\|2, --keep and --help/)
    expect(await third.exit).toMatchObject({ code: 2 })
    expect(third.output()).toContain('--opencode is "3"; it must be 1 or 2.')
    expect(await missing.exit).toMatchObject({ code: 1 })
    expect(missing.output()).toContain("could not run: OPENCODE2 names /nonexistent, which does not exist")
    expect(await older.exit).toMatchObject({ code: 1 })
    expect(older.output()).toMatch(/could not run: OPENCODE2 names .*, which is no opencode 2/)
  })
})

const stops = [
  ["2", "while jobs run", "SIGINT", 130, /prompting\.working/],
  ["1", "while opencode starts", "SIGTERM", 143, /Starting opencode/],
  ["2", "while opencode starts", "SIGINT", 130, /Starting opencode/],
  ["1", "while jobs run", "SIGINT", 130, /prompting\.working/],
] as const

test.each(
  stops.filter(
    ([generation], index) => (isDeep || index < 2) && whyNot(generation === "1" ? 1 : 2) === undefined,
  ),
)(
  "leaves nothing of opencode %s behind when it is stopped %s by %s",
  async (generation, _, signal, code, moment) => {
    const demo = startDemo("--opencode", generation)
    await poll(`${moment} of the demo`, () => moment.test(demo.output()) || undefined, { timeoutMs: 60_000 })
    demo.process.kill(signal)
    expect(await demo.exit).toEqual({ code, signal: null })
    expect(demo.output()).toContain("Stopped.")
    await expectNothingLeft(demo)
  },
  90_000,
)

function expectTheJobs(said: string): void {
  expect(linkIn(said)).not.toBe("")
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
}

const linkIn = (said: string) => said.match(/http:\S+link=\S+/)?.[0] ?? ""

type Demo = {
  process: ChildProcess
  /** Everything that it creates goes here. */
  folder: TempFolder
  output(): string
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

const startDemo = (...args: string[]) => startDemoWith({}, ...args)

function startDemoWith(settings: NodeJS.ProcessEnv, ...args: string[]): Demo {
  const main = join(import.meta.dirname, "..", "..", "demo", "main.ts")
  const { CI: _, FORCE_COLOR: __, ...env } = process.env
  const folder = tempFolder("demo-run")
  const demo: ChildProcess = spawn(process.execPath, ["--import", "tsx", main, ...args], {
    env: { ...env, TMPDIR: folder.path, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let output = ""
  demo.stdout?.setEncoding("utf8").on("data", (text) => {
    output += text
  })
  demo.stderr?.setEncoding("utf8").on("data", (text) => {
    output += text
  })
  const exit = once(demo, "close").then(([code, signal]) => ({ code, signal }))
  const running = { process: demo, folder, output: () => output, exit }
  started.push(running)
  return running
}

/** No folder, and no process that uses one: ports close with their processes. */
async function expectNothingLeft({ folder: { path } }: Demo): Promise<void> {
  expect(readdirSync(path).filter((name) => name.startsWith("troupe-"))).toEqual([])
  await poll("the end of the demo's processes", () => processesWith(path).length === 0 || undefined, {
    timeoutMs: 2_000,
  })
}
