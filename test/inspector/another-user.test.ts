import { type ChildProcess, execFile } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises"
import { delimiter, join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { runCli } from "../../src/cli/cli.ts"
import { proofKeyOf } from "../../src/inspector/access/proof.ts"
import { leadingTo } from "../../src/inspector/discovery/browser.ts"
import { defaultFolder, Entry } from "../../src/inspector/discovery/register.ts"
import { startInspector } from "../../src/inspector/index.ts"
import { exchange } from "../support/inspect.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { type AnotherUser, anotherUser, canBeTwoUsers } from "./support/another-user.ts"
import { ask } from "./support/ask.ts"
import { pageStub } from "./support/page-stub.ts"
import { bundle, runtimes, startProcess } from "./support/processes.ts"
import { everywhere } from "./support/routes.ts"
import { scriptedTroupe } from "./support/scripted-troupe.ts"
import { listen } from "./support/sse.ts"

/** What a process of another user of this machine attempts, with all that the system lets it do. */

describe.skipIf(!canBeTwoUsers)("another user (only root on Linux can be two)", () => {
  const home = tempFolder("inspector-another-user")
  const script = join(home.path, "inspector.mjs")
  const cli = join(home.path, "cli.mjs")
  const bin = join(home.path, "bin")
  let them: AnotherUser
  /** Where they listen, and pass for an inspector. */
  let theirs: string

  beforeAll(async () => {
    // Whatever they fail at, it is not because they cannot come here.
    await chmod(home.path, 0o755)
    await mkdir(bin)
    // A browser that stays as long as there is something to look at.
    const browser = '#!/bin/sh\nwhile [ -e "$0" ]; do sleep 0.1; done\n'
    await writeFile(join(bin, "xdg-open"), browser, { mode: 0o755 })
    ;[them] = await Promise.all([
      anotherUser(),
      bundle("support/inspector-process.ts", script),
      bundle("../../src/cli/bin.ts", cli),
    ])
    ;[theirs = ""] = await them.attempt("listen", "0", "")
  })
  afterAll(() => {
    them.end()
    home.remove()
  })

  /** What `inspect` prints for this user. */
  function inspect(state: string, ...args: string[]): Promise<string> {
    const env = { PATH: [bin, process.env.PATH].join(delimiter), XDG_STATE_HOME: state }
    return new Promise((resolve) =>
      execFile(process.execPath, [cli, "inspect", ...args], { env }, (_failed, out, err) =>
        resolve(out + err),
      ),
    )
  }

  const noteTo = (url: string) =>
    JSON.stringify({ url, secret: "s".repeat(43), pid: process.pid, startedAt: 9e15, project: "theirs" })

  describe("where everybody can write, and they were first,", () => {
    let shared: string
    let own: string
    let folder: string
    let elsewhere: string

    beforeEach(async () => {
      shared = await mkdtemp(join(home.path, "shared-"))
      await chmod(shared, 0o777)
      own = join(shared, "opencode-troupe")
      folder = defaultFolder({ XDG_STATE_HOME: shared })
      elsewhere = join(shared, "elsewhere")
      await mkdir(join(elsewhere, "inspectors"), { recursive: true, mode: 0o755 })
      await writeFile(join(elsewhere, "inspectors", "package.json"), "{}")
      await them.attempt("heard")
    })

    /** Then it is closed, with what they have left in it. */
    async function whileOpen(attempt: () => Promise<unknown>) {
      await mkdir(own)
      await chmod(own, 0o777)
      await attempt()
      await chmod(own, 0o755)
    }

    const places: [string, () => Promise<unknown>][] = [
      [
        "their folder",
        () => whileOpen(() => them.attempt("write", join(folder, "theirs.json"), noteTo(theirs))),
      ],
      [
        "their link to another folder of ours",
        () => whileOpen(() => them.attempt("link", join(elsewhere, "inspectors"), folder)),
      ],
      ["a folder in their folder", () => them.attempt("write", join(own, "theirs.json"), noteTo(theirs))],
      ["a folder that is reached by their link", () => them.attempt("link", elsewhere, own)],
      ["a folder in one that stays open", () => whileOpen(async () => {}).then(() => chmod(own, 0o777))],
    ]
    it.each(places)("%s has no note of an inspector and leads nobody anywhere", async (_what, prepare) => {
      await prepare()
      const before = await them.attempt("read", own, folder)
      const scripted = scriptedTroupe()
      const problems: string[] = []
      const inspector = await startInspector({
        source: scripted.source,
        page: pageStub,
        registerFolder: folder,
        reportError: (error) => void problems.push(String(error)),
      })
      const out: string[] = []
      const err: string[] = []
      const code = await runCli(["inspect", "--open"], {
        write: (text) => void out.push(text),
        complain: (text) => void err.push(text),
        registerFolder: folder,
        open: async () => true,
        ask: async () => undefined,
        hasColours: false,
      })
      const refusal = `${folder} is not a folder of this user`
      expect([code, out, err]).toEqual([1, [], [expect.stringContaining(refusal)]])
      expect(problems).toEqual([expect.stringContaining(refusal)])
      await expect(leadingTo(inspector.link(), folder)).rejects.toThrow(refusal)
      expect(await them.attempt("read", own, folder)).toEqual(before)
      expect(await them.attempt("heard")).toEqual([])
      expect(await readdir(join(elsewhere, "inspectors"))).toEqual(["package.json"])
      await inspector.stop()
      scripted.stop()
    })
  })

  describe.each(runtimes)("of an inspector in %s", (runtime, file, env) => {
    const state = join(home.path, runtime)
    const own = join(state, "opencode-troupe")
    const folder = join(own, "inspectors")
    const elsewhere = join(state, "elsewhere.json")
    let child: ChildProcess
    let url: string
    let note: string
    let handOver: string
    let link: string
    let secret: string

    const kept = async (extension: string) =>
      join(folder, (await readdir(folder)).find((name) => name.endsWith(extension)) ?? "")

    /** Leads this user to their server, where the folder lets them. */
    async function plant(): Promise<void> {
      await writeFile(elsewhere, noteTo(theirs), { mode: 0o600 })
      await chmod(own, 0o755)
      await chmod(folder, 0o777)
      const written = await them.attempt("write", join(folder, "theirs.json"), noteTo(theirs))
      const linked = await them.attempt("link", elsewhere, join(folder, "linked.json"))
      expect([...written, ...linked]).toEqual(["done", "done"])
    }

    beforeAll(async () => {
      await mkdir(folder, { recursive: true })
      await plant()
      const registered = { ...env, XDG_STATE_HOME: state, REGISTERED: "yes" }
      ;({ child, url } = await startProcess(file, script, registered))
      await inspect(state, "--open")
      ;[note, handOver] = await Promise.all([kept(".json"), kept(".html")])
      link = (await readFile(handOver, "utf8")).match(/url=([^"]+)"/)?.[1] ?? ""
      secret = (await (await exchange(link)).json()).secret
    })
    afterAll(() => child.kill("SIGKILL"))

    const works = async () =>
      (await ask(url, "/api/jobs", { headers: { authorization: `Bearer ${secret}` } })).status

    it("reads and removes no note and no file that leads the browser, and reads nothing of the process", async () => {
      expect(await readdir(folder)).toHaveLength(2)
      const inside = ["environ", "mem", "fd", "cwd"].map((name) => `/proc/${child.pid}/${name}`)
      const refused = (paths: string[]) => paths.map(() => "EACCES")
      const all = [folder, note, handOver, ...inside]
      expect(await them.attempt("read", ...all)).toEqual(refused(all))
      expect(await them.attempt("remove", note, handOver)).toEqual(["EACCES", "EACCES"])
      expect(await them.attempt("write", join(folder, "theirs.json"), noteTo(theirs))).toEqual(["EACCES"])
      // Each by itself, whatever the folders around it are like.
      await chmod(own, 0o755)
      expect(await them.attempt("read", own, folder)).toEqual(["inspectors", "EACCES"])
      await chmod(folder, 0o755)
      expect(await them.attempt("read", note, handOver)).toEqual(["EACCES", "EACCES"])
    })

    it("sees no link and no secret in what runs, where the browser is seen with its file", async () => {
      const seen = (await them.attempt("watch")).join("\n")
      expect(seen.includes(pathToFileURL(handOver).href)).toBe(true)
      const entry = Entry.parse(JSON.parse(await readFile(note, "utf8")))
      for (const hidden of [link.split("#link=")[1], secret, entry.secret, proofKeyOf(entry.secret)])
        expect(seen.includes(hidden ?? "")).toBe(false)
    })

    it("leads nobody anywhere by notes and links in a folder that was open to everybody", async () => {
      expect(await them.attempt("heard")).toEqual([])
      await plant()
      const running = JSON.parse(await inspect(state, "--json"))
      expect(running.map((each: { url: string }) => each.url)).toEqual([url])
      expect(await them.attempt("heard")).toEqual([])
      expect(await readFile(elsewhere, "utf8")).toBe(noteTo(theirs))
    })

    it("comes in nowhere without a secret, with a link that was used, or by guessing", async () => {
      const guesses = ["", link, link.split("#link=")[1] ?? "", "x".repeat(43)]
      const came: string[] = []
      for (const guess of guesses) {
        for (const [method, path] of [...everywhere, ["POST", "/api/link"] as const])
          came.push(...(await them.attempt("ask", `${url}${path}`, method, guess && `Bearer ${guess}`, "{}")))
        const body = JSON.stringify({ link: guess })
        came.push(...(await them.attempt("ask", `${url}/api/access`, "POST", "", body)))
      }
      expect(came).toHaveLength(guesses.length * (everywhere.length + 2))
      expect(came.filter((answer) => !answer.startsWith("401 "))).toEqual([
        expect.stringMatching(/^400 .*link/),
      ])
    })

    it("cannot bring it down by what it never finishes, nor cut off whoever is in", async () => {
      const stream = await listen(url, { authorization: `Bearer ${secret}` })
      let isOpen = true
      void stream.closed.then(() => (isOpen = false))
      await them.attempt("stall", url)
      await expect.poll(works).toBe(200)
      expect(isOpen).toBe(true)
      stream.close()
    })

    // The last: it is gone then.
    it("is sent no secret on the port of one that has crashed, which it cannot have before", async () => {
      const { port } = new URL(url)
      const [answer = ""] = await them.attempt("ask", `${url}/api/proof?nonce=${nonce}`, "GET", "", "")
      const { proof } = JSON.parse(answer.replace("200 ", ""))
      expect(await them.attempt("listen", port, "")).toEqual(["EADDRINUSE"])
      child.kill("SIGKILL")
      await once(child, "exit")
      expect(await them.attempt("listen", port, proof)).toEqual([url])
      // Another process of this user has got the number of the one that has crashed.
      const entry = Entry.parse(JSON.parse(await readFile(note, "utf8")))
      await writeFile(note, JSON.stringify({ ...entry, pid: process.pid }))
      expect(await inspect(state, "--open")).toContain("No inspector is running")
      expect(await them.attempt("heard")).toEqual(["GET /api/proof"])
    })
  })
})

const nonce = "a-nonce-that-they-have-chosen"
