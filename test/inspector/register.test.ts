import { execFileSync } from "node:child_process"
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, it } from "vitest"
import { runCli } from "../../src/inspector/discovery/cli.ts"
import { commandFor, inspectCommand } from "../../src/inspector/discovery/command.ts"
import { defaultFolder, runningInspectors } from "../../src/inspector/discovery/register.ts"
import { type Inspector, startInspector } from "../../src/inspector/index.ts"
import { ask } from "./support/ask.ts"
import { pageStub } from "./support/page-stub.ts"
import { type ScriptedTroupe, scriptedTroupe } from "./support/scripted-troupe.ts"

let home: string
let folder: string
let scripted: ScriptedTroupe
let inspector: Inspector | undefined

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "troupe-register-"))
  folder = join(home, "inspectors")
  scripted = scriptedTroupe({ name: "/projects/demo" })
})
afterEach(async () => {
  await inspector?.stop()
  scripted.stop()
  await rm(home, { recursive: true })
})

async function start(): Promise<Inspector> {
  inspector = await startInspector({ source: scripted.source, page: pageStub, registerFolder: folder })
  return inspector
}

async function cli(...args: string[]) {
  const output = { out: "", err: "", opened: [] as string[] }
  const code = await runCli(args, {
    write: (text) => (output.out += text),
    complain: (text) => (output.err += text),
    open: (link) => output.opened.push(link),
    registerFolder: folder,
  })
  return { code, ...output }
}

it("leaves a note that this user alone can read, and takes it away", async () => {
  const { stop } = await start()
  const [name = ""] = await readdir(folder)
  expect(((await stat(folder)).mode & 0o777).toString(8)).toBe("700")
  expect(((await stat(join(folder, name))).mode & 0o777).toString(8)).toBe("600")
  await stop()
  expect(await readdir(folder)).toEqual([])
})

it("removes notes of processes that are gone, and what is no note", async () => {
  const { url } = await start()
  const gone = { url, secret: "x".repeat(43), pid: 2 ** 22 + 1, startedAt: 1, project: "p" }
  await writeFile(join(folder, "gone.json"), JSON.stringify(gone))
  await writeFile(join(folder, "broken.json"), "{")
  expect((await runningInspectors(folder)).map((entry) => entry.url)).toEqual([url])
  expect(await readdir(folder)).toHaveLength(1)
})

it("looks where XDG says", () => {
  expect(defaultFolder({ XDG_STATE_HOME: "/state" })).toBe("/state/opencode-troupe/inspectors")
  expect(defaultFolder({})).toMatch(/\.local\/state\/opencode-troupe\/inspectors$/)
})

it("prints a fresh link that works once", async () => {
  const { url } = await start()
  const { code, out } = await cli("inspect")
  expect(code).toBe(0)
  expect(out).toContain("/projects/demo")
  const link = out.match(/http\S+/)?.[0] ?? ""
  expect(link.startsWith(url)).toBe(true)
  expect((await ask(url, link.slice(url.length))).status).toBe(303)
  expect((await ask(url, link.slice(url.length))).status).toBe(401)
})

it("opens the newest one", async () => {
  const { url } = await start()
  const { opened } = await cli("inspect", "--open")
  expect(opened).toEqual([expect.stringContaining(`${url}/?link=`)])
})

it("prints JSON without the secret", async () => {
  const { url } = await start()
  const { out } = await cli("inspect", "--json")
  expect(JSON.parse(out)).toEqual([
    {
      url,
      link: expect.any(String),
      project: "/projects/demo",
      pid: process.pid,
      startedAt: expect.any(Number),
    },
  ])
})

it("says when nothing runs", async () => {
  expect(await cli("inspect")).toMatchObject({
    code: 1,
    err: expect.stringContaining("No inspector is running"),
  })
  expect(await cli("inspect", "--json")).toMatchObject({ code: 1, out: "[]\n" })
})

it("is run from where it really is, in any shell", () => {
  expect(commandFor("/home/me/plugin@file:/1.tgz/dist/cli.js", "linux")).toBe(
    "node /home/me/plugin@file:/1.tgz/dist/cli.js inspect",
  )
  expect(commandFor("C:\\Users\\me\\dist\\cli.js", "win32")).toBe(
    'node "C:\\Users\\me\\dist\\cli.js" inspect',
  )
  for (const path of [
    "/my plugin/cli.js",
    "/o'brien/cli.js",
    "/a$HOME/cli.js",
    "/a`id`/cli.js",
    '/a"b/cli.js',
    "/a!b's/cli.js",
  ]) {
    const echoed = commandFor(path, "linux")
      .replace(/^node/, "printf %s")
      .replace(/ inspect$/, "")
    expect(execFileSync("sh", ["-c", echoed], { encoding: "utf8" })).toBe(path)
  }
})

it("explains itself", async () => {
  expect(await cli("--help")).toMatchObject({
    code: 0,
    out: expect.stringContaining(`Usage: ${inspectCommand}`),
  })
  expect(await cli("--version")).toMatchObject({ code: 0 })
  expect(await cli("-h")).toMatchObject({ code: 0 })
})

it.each([
  ["No command given.", []],
  ["Unknown command: nope", ["nope"]],
  ["Unknown command: inspect x", ["inspect", "x"]],
  ["Unknown option: --nope", ["inspect", "--nope"]],
  ["Unknown option: --opne", ["inspect", "--opne=1"]],
  ["Unknown option: -x", ["inspect", "-x"]],
  ["The option --open takes no value.", ["inspect", "--open=yes"]],
])("says what is wrong, and how it is called: %s", async (problem, args) => {
  expect(await cli(...args)).toMatchObject({
    code: 2,
    out: "",
    err: expect.stringMatching(new RegExp(`^${problem}\n\nUsage: `)),
  })
})
