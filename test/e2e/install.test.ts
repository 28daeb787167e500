import { execFileSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import * as z from "zod"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { isDeep } from "../support/depth.ts"
import { describeOn, whyNot } from "../support/generations.ts"
import { startOpencode } from "../support/opencode.ts"
import { startOpencode2 } from "../support/opencode-2.ts"
import { service } from "../support/opencode-2-service.ts"
import { opencodeBinary } from "../support/opencode-binary.ts"
import { opencodeEnv } from "../support/opencode-env.ts"
import { copyHome } from "../support/prepared-home.ts"
import { makeProject } from "../support/project.ts"
import { readme, readmeBlocks } from "../support/readme.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { projectConfig } from "../support/stage.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

/**
 * Follows the README from the first command to the last, as a new user in an empty folder: the commands are read from
 * its code blocks. Only what takes long and happens in a checkout is left out: `npm ci` and the build.
 */

const root = join(import.meta.dirname, "..", "..")
const tools = ["agents_start", "agents_status", "agents_wait", "agents_cancel", "agents_send", "agents_apply"]
const triedOn1 = ["opencode-troupe", "Install", "opencode 1.18", "The inspector"]
/** An entry of opencode 2's. */
const entry2 = /"plugins"/
const untried = readmeBlocks().filter(({ section, text }) =>
  section === "opencode 2" || entry2.test(text)
    ? whyNot(2) === undefined
    : whyNot(1) === undefined && triedOn1.includes(section),
)

const folder = tempFolder("install")
/** What the README calls /path/to. */
const pathTo = folder.path
const checkout = join(pathTo, "opencode-troupe")
const home = join(folder.path, "home")
const project = join(folder.path, "project")
const projectEntry = join(project, ".opencode", "opencode.json")
const globalEntry = join(home, ".config", "opencode", "opencode.jsonc")
let model: ScriptedModel

beforeAll(async () => {
  model = await startScriptedModel()
  for (const each of ["dist", "server.js", "tui.js", "package.json", "README.md", "LICENSE"])
    cpSync(join(root, each), join(checkout, each), { recursive: true })
  mkdirSync(project)
})

afterAll(async () => {
  await model.stop()
  folder.remove()
})

describeOn(
  1,
  "What the README says, in an empty folder",
  () => {
    beforeAll(async () => {
      await copyHome(home)
      // The user has opencode, with a provider that works.
      const config = projectConfig({ model, plugin: false, config: { snapshot: false } })
      writeFileSync(join(home, ".config", "opencode", "config.json"), JSON.stringify(config))
      mkdirSync(join(folder.path, "bin"))
      symlinkSync(opencodeBinary(), join(folder.path, "bin", "opencode"))
    })

    beforeEach(() => {
      rmSync(project, { recursive: true, force: true })
      mkdirSync(project)
      removeEntry(globalEntry)
    })

    test("a tarball is installed, checked, given options, upgraded and uninstalled", async () => {
      inCheckout(spanOf("npm pack"))
      inProject(command("opencode 1.18", /^opencode plugin "opencode-troupe@file/))
      expect(entriesIn(projectEntry)).toEqual([spec("0.1.0")])
      spareOpencodesOwnPackages()

      expect(toolsIn(inProject(command("opencode 1.18", /debug agent/)))).toEqual(tools)

      const options = take("opencode 1.18", "json", /tgz/)
      writeFileSync(projectEntry, asHere(options))
      expect(entriesIn(projectEntry)).toEqual([[spec("0.1.0"), { concurrency: 4 }]])
      // A second entry has no effect, as the README warns.
      const overridden = { plugin: [[spec("0.1.0"), { concurrency: 2 }]] }
      writeFileSync(join(project, "opencode.json"), JSON.stringify(overridden))
      const origins = command("opencode 1.18", /debug config/)
      expect(originsIn(inProject(origins))).toMatchObject([{ source: projectEntry }])
      rmSync(join(project, "opencode.json"))

      packVersion("0.2.0")
      const upgrade = command("opencode 1.18", /--force/)
      if (isDeep) {
        expect(inProject(upgrade.replace("--force", ""))).toContain("Installed")
        expect(entriesIn(projectEntry)).toEqual([[spec("0.1.0"), { concurrency: 4 }]])
      }
      inProject(upgrade)
      expect(entriesIn(projectEntry)).toEqual([[spec("0.2.0"), { concurrency: 4 }]])

      const opencode = await startOpencode({ model, plugin: false, home, project })
      try {
        await runJob(opencode)
        const loaded = inProject(command("opencode 1.18", /loaded/))
        expect(loaded).toMatch(/opencode-troupe: version .* loaded: concurrency 4, /)
        const plugin = loaded.match(/node (['"]?)(\S+)\/dist\/cli\.js\1 inspect/)?.[2] ?? ""
        expect(plugin).toContain("opencode-troupe-0.2.0.tgz")
        const inspect = command("The inspector", /inspect/).replace("<path to the plugin>", plugin)
        expect(inProject(inspect)).toMatch(/http:\/\/127\.0\.0\.1:\d+\/#link=/)
      } finally {
        await opencode.stop()
      }

      removeEntry(projectEntry)
      inProject(command("opencode 1.18", /^rm/))
      expect(toolsIn(inProject("opencode debug agent build"))).toEqual([])
      expect(leftovers()).toEqual([])
    })

    test("a checkout is installed, for one project or for all", async () => {
      inCheckout(command("opencode-troupe", /npm run build/))
      inCheckout(spanOf("opencode plugin --global"))
      expect(entriesIn(globalEntry)).toEqual([checkout])
      removeEntry(globalEntry)
      inCheckout(command("Install", /npm run build/))
      inProject(command("opencode 1.18", /opencode-troupe$/m))
      expect(entriesIn(projectEntry)).toEqual([checkout])
      spareOpencodesOwnPackages()
      expect(toolsIn(inProject("opencode debug agent build"))).toEqual(tools)
    })

    test.runIf(isDeep)("a relative path is called installed, and is not", () => {
      mkdirSync(join(project, "node_modules"))
      symlinkSync(checkout, join(project, "node_modules", "opencode-troupe"))
      expect(inProject("opencode plugin ./node_modules/opencode-troupe")).toContain("Installed")
      expect(toolsIn(inProject("opencode debug agent build"))).toEqual([])
    })

    test("the demo has tests of its own", () => {
      expect(command("opencode-troupe", /demo/)).toContain("npm run demo")
    })
  },
  { timeout: 120_000 },
)

describeOn(2, "What the README says, in an empty folder", () => {
  test.each<[string, () => Record<string, unknown>]>([
    ["a checkout", () => JSON.parse(asHere(take("opencode 2", "json", entry2)))],
    [
      "a tarball",
      () => {
        inCheckout("npm pack")
        return { plugins: [{ package: spec("0.1.0"), options: { concurrency: 4 } }] }
      },
    ],
    ["an entry in the form of 1.18", () => ({ plugin: [[checkout, { concurrency: 4 }]] })],
  ])("%s is loaded, with its options", async (what, configOf) => {
    const own = tempFolder("install-2")
    const opencode = await startOpencode2({ model, plugin: false, home: own.path, config: configOf() })
    try {
      await poll("the plugin", () => /version .* loaded: concurrency 4,/.test(opencode.log()) || undefined, {
        timeoutMs: 30_000,
      })
      await runJob(opencode)
    } finally {
      await opencode.stop()
    }
    if (what === "a tarball") {
      expect(leftovers(own.path, "npm")).not.toEqual([])
      run(project, command("opencode 2", /^rm/), own.path)
      expect(leftovers(own.path, "npm")).toEqual([])
    }
    own.remove()
  })

  test("the check shows it with its path, and an entry with a wrong path without a name", async () => {
    const own = tempFolder("check-2")
    const [ownHome, ownProject] = [join(own.path, "home"), join(own.path, "project")]
    const { plugins } = JSON.parse(asHere(take("opencode-troupe", "json", entry2)))
    mkdirSync(ownHome)
    makeProject(ownProject, { plugins: [...plugins, { package: join(pathTo, "gone") }] })
    const opencode = await service({ home: ownHome, project: ownProject })
    const [, ...check] = spanOf("opencode plugin list").split(" ")
    try {
      const isWhole = (list: string) => list.includes(checkout) && list
      const list = await poll(
        "the plugin in the list",
        async () => isWhole(await opencode.command(...check)) || undefined,
      )
      expect(list).toMatch(new RegExp(`^opencode-troupe .*${checkout}`, "m"))
      expect(list).toMatch(new RegExp(`^- .*${join(pathTo, "gone")}`, "m"))
    } finally {
      await opencode.stop()
      own.remove()
    }
  })
})

test("no command is left untried", () => {
  expect(untried.filter(({ language }) => ["sh", "json"].includes(language))).toEqual([])
})

/** Takes a block of the README, to be tried. */
function take(section: string, language: string, pattern: RegExp): string {
  const index = untried.findIndex(
    (block) => block.section === section && block.language === language && pattern.test(block.text),
  )
  const [block] = index < 0 ? [] : untried.splice(index, 1)
  if (!block) throw new Error(`The README has no such block any more in "${section}": ${pattern}`)
  return block.text
}

/** A command within a sentence of the README. */
function spanOf(start: string): string {
  const [, span] = readme().match(new RegExp(`\`(${start}[^\`]*)\``)) ?? []
  if (span === undefined) throw new Error(`The README has no such command any more: ${start}`)
  return span
}

const command = (section: string, pattern: RegExp) => take(section, "sh", pattern)

const asHere = (text: string) => text.replaceAll("/path/to/", `${pathTo}/`)

const inProject = (commands: string) => run(project, asHere(commands))

/** The copy of the checkout is built already. */
function inCheckout(commands: string): void {
  const quick = commands
    .replace("npm ci && ", "")
    .replace("npm run build", "true")
    .replace("npm pack", "npm pack --ignore-scripts --pack-destination ..")
  run(checkout, quick)
}

function run(cwd: string, commands: string, inHome = home): string {
  const env = opencodeEnv(inHome, { PATH: `${join(folder.path, "bin")}:${process.env.PATH}` })
  return execFileSync("sh", ["-e", "-c", commands], { cwd, env, encoding: "utf8", stdio: "pipe" })
}

function packVersion(version: string): void {
  const manifest = join(checkout, "package.json")
  const text = readFileSync(manifest, "utf8")
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(text), version }))
  inCheckout("npm pack")
  writeFileSync(manifest, text)
}

const spec = (version: string) => `opencode-troupe@file:${join(pathTo, `opencode-troupe-${version}.tgz`)}`

const Config = z.object({ plugin: z.array(z.unknown()).optional() })
const entriesIn = (file: string) => Config.parse(JSON.parse(readFileSync(file, "utf8"))).plugin

const removeEntry = (file: string) =>
  writeFileSync(file, JSON.stringify({ $schema: "https://opencode.ai/config.json" }))

const Origins = z.object({ plugin_origins: z.array(z.object({ source: z.string() })) })
const originsIn = (output: string) => Origins.parse(JSON.parse(output)).plugin_origins

const toolsIn = (output: string) => [...output.matchAll(/"(agents_\w+)": true/g)].map(([, name]) => name)

/** @param packages where opencode unpacks what it installs: it differs by generation */
function leftovers(inHome = home, packages = "packages"): string[] {
  const cached = join(inHome, ".cache", "opencode", packages)
  const state = join(inHome, ".local", "state")
  return [cached, state]
    .flatMap((each) => (existsSync(each) ? readdirSync(each) : []))
    .filter((name) => name.includes("troupe"))
}

/**
 * opencode installs packages of its own, 64 MB from the registry, beside the plugins of a project. The home has them
 * already; a deep run lets opencode do it.
 */
function spareOpencodesOwnPackages(): void {
  if (isDeep) return
  for (const name of ["package.json", "package-lock.json", "node_modules"])
    symlinkSync(join(home, ".config", "opencode", name), join(project, ".opencode", name))
}

async function runJob(opencode: Pick<AnyOpencode, "session" | "callTool">): Promise<void> {
  const before = model.requests.length
  // Not before the owner waits: while it is idle the result would be delivered without being asked for.
  model.on("look into it", async () => {
    await model.waitFor(
      (request) =>
        request.rawBody.includes("Please call agents_wait") && model.requests.indexOf(request) >= before,
    )
    return { type: "text", text: "looked into" }
  })
  const owner = await opencode.session()
  const tasks = [{ id: "look", prompt: "look into it" }]
  expect((await opencode.callTool(owner, "agents_start", { tasks })).output).toContain("Started: ")
  // By its id: it may have been delivered between the two calls.
  const waited = await opencode.callTool(owner, "agents_wait", { ids: ["look"] })
  expect(waited.output).toContain("looked into")
}
