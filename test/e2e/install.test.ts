import { execFileSync } from "node:child_process"
import { cpSync, readdirSync, readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { answered } from "../support/answered.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { opencodeBinary } from "../support/opencode-binary.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { type Stage, type StageOptions, setStage } from "../support/stage.ts"
import { tempFolder } from "../support/temp-folder.ts"

const root = join(import.meta.dirname, "..", "..")
const folder = tempFolder("install")
let model: ScriptedModel
let tarball: string

beforeAll(async () => {
  model = await startScriptedModel()
  // Packed as it is built: the scripts of `npm pack` would build it under the hands of the other tests.
  npm(root, "pack", "--ignore-scripts", "--pack-destination", folder.path)
  const packed = readdirSync(folder.path).find((file) => file.endsWith(".tgz"))
  if (!packed) throw new Error("npm pack made no tarball")
  tarball = join(folder.path, packed)
})

afterAll(async () => {
  await model.stop()
  folder.remove()
})

describe("installed as a user would, the plugin runs a job", { timeout: 120_000 }, () => {
  test("from a tarball, by `opencode plugin name@file:…`", async () => {
    await inProject({}, async (stage) => {
      const spec = `opencode-troupe@file:${tarball}`
      expect(opencodePlugin(stage, spec)).toContain("Detected server target")
      expect(writtenConfig(stage)).toEqual({ plugin: [spec] })
      await runJob(stage)
    })
  })

  test("from a tarball in the project's node_modules, by an entry with options", async () => {
    const config = { plugin: [["./node_modules/opencode-troupe", { concurrency: 2, timeoutSeconds: 60 }]] }
    await inProject({ config }, async (stage) => {
      npm(stage.project, "install", "--no-save", "--offline", "--no-audit", tarball)
      await runJob(stage)
    })
  })

  test("from a checkout, by `opencode plugin <folder>`", async () => {
    const checkout = copyOfCheckout("checkout")
    await inProject({}, async (stage) => {
      opencodePlugin(stage, checkout)
      expect(writtenConfig(stage)).toEqual({ plugin: [checkout] })
      sparePackages(stage)
      await runJob(stage)
    })
  })

  test("from a checkout, for all projects of the home, by `opencode plugin --global <folder>`", async () => {
    const checkout = copyOfCheckout("checkout-for-all")
    await inProject({}, async (stage) => {
      opencodePlugin(stage, "--global", checkout)
      const written = readFileSync(join(stage.home, ".config", "opencode", "opencode.jsonc"), "utf8")
      expect(JSON.parse(written)).toMatchObject({ plugin: [checkout] })
    })
  })
})

/** Of what matters in it: another process may build in the checkout itself meanwhile. */
function copyOfCheckout(name: string): string {
  const checkout = join(folder.path, name)
  for (const each of ["dist", "package.json"]) {
    cpSync(join(root, each), join(checkout, each), { recursive: true })
  }
  return checkout
}

async function inProject(
  options: Omit<StageOptions, "model">,
  use: (stage: Stage) => Promise<void>,
): Promise<void> {
  const stage = await setStage({ model, plugin: false, ...options })
  try {
    await use(stage)
  } finally {
    stage.remove()
  }
}

function opencodePlugin({ project, env }: Stage, ...args: string[]): string {
  return execFileSync(opencodeBinary(), ["plugin", ...args], {
    cwd: project,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  })
}

/** What opencode itself installs beside a project's plugins, 64 MB, is tried in another test. */
function sparePackages({ home, project }: Stage): void {
  const installed = join(home, ".config", "opencode")
  for (const name of ["package.json", "package-lock.json", "node_modules"]) {
    symlinkSync(join(installed, name), join(project, ".opencode", name))
  }
}

function writtenConfig({ project }: Stage): unknown {
  return JSON.parse(readFileSync(join(project, ".opencode", "opencode.json"), "utf8"))
}

async function runJob({ home, project }: Stage): Promise<void> {
  const oc = await startOpencode({ model, plugin: false, home, project })
  try {
    expect(await jobTools(oc)).toEqual(expect.arrayContaining(["agents_start", "agents_wait"]))
    model.on("look into it", { type: "text", text: "looked into" })
    const owner = await oc.session()
    const started = await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "look into it" }] })
    expect(started.title).toBe("1/1 jobs started")
    expect((await oc.callTool(owner, "agents_wait", {})).output).toContain("looked into")
  } finally {
    await oc.stop()
  }
}

async function jobTools({ client }: Opencode): Promise<string[]> {
  return (await answered("the tools", client.tool.ids())).filter((name) => name.startsWith("agents_"))
}

function npm(cwd: string, ...args: string[]): void {
  execFileSync("npm", args, { cwd, stdio: "pipe", shell: process.platform === "win32" })
}
