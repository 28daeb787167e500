import { execFileSync } from "node:child_process"
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises"
import { createServer, type ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { runCli } from "../../src/cli/cli.ts"
import { leadingTo } from "../../src/inspector/discovery/browser.ts"
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

/** Whether a browser can be opened. */
let hasBrowser = true
beforeEach(() => {
  hasBrowser = true
})

async function cli(...args: string[]) {
  const output = { out: "", err: "", opened: [] as string[] }
  const code = await runCli(args, {
    write: (text) => (output.out += text),
    complain: (text) => (output.err += text),
    open: async (link) => {
      output.opened.push(link)
      return hasBrowser
    },
    ask: async () => undefined,
    hasColours: false,
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
  await writeFile(join(folder, "gone.json"), JSON.stringify(gone), { mode: 0o600 })
  await writeFile(join(folder, "broken.json"), "{")
  expect((await runningInspectors(folder)).map((entry) => entry.url)).toEqual([url])
  expect(await readdir(folder)).toHaveLength(1)
})

it("uses no folder that leads elsewhere, and removes nothing there", async () => {
  const elsewhere = join(home, "elsewhere")
  await mkdir(elsewhere, { mode: 0o755 })
  await writeFile(join(elsewhere, "package.json"), "{}")
  await symlink(elsewhere, folder)
  const { url } = await start()
  expect((await ask(url, "/")).status).toBe(200)
  expect(await cli("inspect")).toMatchObject({ code: 1 })
  await expect(leadingTo("http://127.0.0.1:1/#link=abc", folder)).rejects.toThrow(
    "is not a folder of this user",
  )
  expect(await readdir(elsewhere)).toEqual(["package.json"])
  expect((await stat(elsewhere)).mode & 0o777).toBe(0o755)
})

describe("a note that this user alone has not written", () => {
  const entry = async () => ({
    url: (await start()).url,
    secret: "x".repeat(43),
    pid: process.pid,
    startedAt: 9,
    project: "p",
  })
  const notes: [string, (file: string, text: string) => Promise<unknown>][] = [
    ["others can read", (file, text) => writeFile(file, text, { mode: 0o644 })],
    [
      "is a link",
      async (file, text) => {
        await writeFile(join(home, "elsewhere"), text, { mode: 0o600 })
        await symlink(join(home, "elsewhere"), file)
      },
    ],
    ["is a pipe, which would never answer", async (file) => execFileSync("mkfifo", ["-m", "600", file])],
    ["is a folder", (file) => mkdir(file)],
    ["is huge", (file, text) => writeFile(file, text + " ".repeat(100_000), { mode: 0o600 })],
  ]
  it.each(notes)("is not read: one that %s", async (_what, write) => {
    const good = await entry()
    await write(join(folder, "other.json"), JSON.stringify(good))
    expect((await runningInspectors(folder)).map(({ startedAt }) => startedAt)).not.toContain(9)
  })

  it.each([
    "http://192.168.1.2:80",
    "https://127.0.0.1:80",
    "http://127.0.0.1:80/x",
    "http://user@127.0.0.1:80",
    "file:///etc",
  ])("is not believed where it leads to %s", async (url) => {
    const note = JSON.stringify({ ...(await entry()), url })
    await writeFile(join(folder, "other.json"), note, { mode: 0o600 })
    expect(await runningInspectors(folder)).toHaveLength(1)
  })
})

describe("another program on the port of an inspector that is gone", () => {
  async function impostor(answer: (response: ServerResponse, url: string) => unknown) {
    const heard: string[] = []
    const server = createServer((request, response) => {
      heard.push(`${request.method} ${request.headers.authorization ?? ""}`)
      answer(response, url)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`
    return { url, heard, end: () => server.close().closeAllConnections() }
  }

  async function register(url: string) {
    await mkdir(folder, { mode: 0o700 })
    const note = { url, secret: "s".repeat(43), pid: process.pid, startedAt: 1, project: "p" }
    await writeFile(join(folder, "gone.json"), JSON.stringify(note), { mode: 0o600 })
  }

  it("is sent no secret, and leads nobody anywhere", async () => {
    const { url, heard, end } = await impostor((response, url) =>
      response
        .setHeader("content-type", "application/json")
        .end(JSON.stringify({ link: `${url}/#link=${"x".repeat(22)}`, proof: "x" })),
    )
    await register(url)
    expect(await cli("inspect", "--open")).toMatchObject({ code: 1, opened: [], out: "" })
    expect(heard).toEqual(["GET "])
    end()
  })

  it("cannot have this user send a request to a third one", async () => {
    const third = await impostor((response) => response.end("{}"))
    const { url, end } = await impostor((response) => response.writeHead(302, { location: third.url }).end())
    await register(url)
    expect(await cli("inspect")).toMatchObject({ code: 1 })
    expect(third.heard).toEqual([])
    end()
    third.end()
  })

  it("cannot fill the memory with an answer that does not end", async () => {
    let sent = 0
    const { url, end } = await impostor((response) => {
      const piece = " ".repeat(65_536)
      const more = () => {
        sent += piece.length
        if (response.write(piece)) setImmediate(more)
        else response.once("drain", more)
      }
      more()
    })
    await register(url)
    expect(await cli("inspect")).toMatchObject({ code: 1 })
    expect(sent).toBeLessThan(64 * 1024 * 1024)
    end()
  })
})

it("prints nothing that a terminal would carry out, or that hides", async () => {
  const name = "/projects/\u001b]0;owned\u0007\u202egpj.exe\u200b"
  scripted.stop()
  scripted = scriptedTroupe({ name })
  await start()
  const { out } = await cli("inspect")
  expect(out).toContain("/projects/\\u{1b}]0;owned\\u{7}\\u{202e}gpj.exe\\u{200b}")
  const json = (await cli("inspect", "--json")).out
  expect(json).toMatch(/^[\x20-\x7e\n]+$/)
  expect(JSON.parse(json)[0].project).toBe(name)
})

it("opens a file that this user alone can read and that leads to the link, for everybody sees a program's arguments", async () => {
  const link = "http://127.0.0.1:1/#link=abc"
  const file = await leadingTo(link, folder)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readFile(file, "utf8")).toContain(`url=${link}"`)
  const old = new Date(Date.now() - 11 * 60_000)
  await utimes(file, old, old)
  const next = await leadingTo(link, folder)
  expect(await readdir(folder)).toEqual([basename(next)])
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
  const exchange = () =>
    ask(url, "/api/access", {
      method: "POST",
      headers: { "x-troupe": "1", "content-type": "application/json" },
      body: JSON.stringify({ link: link.split("#link=")[1] }),
    })
  expect((await exchange()).status).toBe(200)
  expect((await exchange()).status).toBe(401)
})

it("opens the newest one", async () => {
  const { url } = await start()
  const { opened } = await cli("inspect", "--open")
  expect(opened).toEqual([expect.stringContaining(`${url}/#link=`)])
  hasBrowser = false
  expect(await cli("inspect", "--open")).toMatchObject({
    code: 0,
    out: expect.stringContaining(`${url}/#link=`),
    err: expect.stringContaining("No browser could be opened"),
  })
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
