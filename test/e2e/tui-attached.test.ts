import { cpSync, readFileSync, writeFileSync } from "node:fs"
import { connect as connectTo, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { createOpencodeClient } from "@opencode-ai/sdk/v2/client"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { describeBoth, describeOn } from "../support/generations.ts"
import { held } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { startTui, type Tui } from "../support/tui.ts"

const root = join(import.meta.dirname, "..", "..")

/** The first screen of a terminal takes several seconds. Milliseconds. */
const slowly = 30_000

describeBoth("Two terminals on one opencode", ({ start, generation }) => {
  let model: ScriptedModel
  let opencode: AnyOpencode
  let address: Address
  let isAway = false
  let owner: string
  let terminals: Tui[] = []

  beforeAll(async () => {
    model = await startScriptedModel()
    opencode = await start({ model })
    owner = await opencode.session()
    address = await addressFor(() => (isAway ? undefined : opencode.url))
    const of = { opencode, url: address.url, session: owner }
    terminals = await Promise.all([1, 2].map(() => startTui({ model, of }, generation)))
  })
  afterAll(async () => {
    await Promise.all(terminals.map((each) => each.stop()))
    await address?.close()
    await opencode?.stop()
    await model.stop()
  })

  const bothShow = (pattern: RegExp) =>
    Promise.all(terminals.map((each) => each.waitForScreen(pattern, slowly)))

  test("show the same jobs, and what the other does with them", async () => {
    // opencode shows which model answers once it is ready.
    await bothShow(/m1 fake/)
    const job = held("half a")
    model.on("take your time", job.reply)
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "gamma", prompt: "take your time" }] })
    await bothShow(/• gamma …half a/)
    job.release(" loaf")
    await bothShow(/✓ gamma done/)
  })

  // 1.18 has one opencode for each directory.
  test.runIf(generation === 2)(
    "stay apart from one that this opencode serves in another project",
    async () => {
      const project = await opencode.open({ model })
      const session = await project.session()
      const of = {
        opencode: { ...opencode, home: opencode.home, project: project.project },
        url: address.url,
        session,
      }
      const other = await startTui({ model, of }, generation)
      try {
        await other.waitForScreen(/m1 fake/, slowly)
        const job = held("half of theirs")
        model.on("their work", job.reply)
        await project.callTool(session, "agents_start", { tasks: [{ id: "theirs", prompt: "their work" }] })
        await other.waitForScreen(/• theirs …half of theirs/, slowly)
        other.type("/troupe")
        await other.waitForScreen(/\/troupe +Jobs of this project/)
        other.press("Enter")
        await other.waitForScreen(/Jobs +esc(?![\s\S]*gamma)[\s\S]*• theirs …half of theirs/)
        job.release(" done")
        await other.waitForScreen(/✓ theirs done[\s\S]*✓ theirs done/, slowly)
        for (const each of terminals) expect(each.screen()).not.toContain("theirs")
      } finally {
        await other.stop()
        await project.stop()
      }
    },
  )

  test("show jobs again once an opencode that was away is back", async () => {
    model.on("before the end", held("half a").reply)
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "before", prompt: "before the end" }] })
    await bothShow(/• before …half a/)
    isAway = true
    await opencode.kill()
    await opencode.restart()
    isAway = false
    await opencode.callTool(owner, "agents_status", {})
    await bothShow(/✗ before failed/)
    model.on("after the end", { type: "text", text: "done" })
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "after", prompt: "after the end" }] })
    const screens = await bothShow(/✓ after done/)
    expect(screens).toHaveLength(2)
  })

  // On opencode 2 the server part alone reads what is stored.
  test.runIf(generation === 1)("leave out a job whose metadata something else has damaged", async () => {
    const [session] = (await opencode.stored(owner)).flatMap(({ session, record }) =>
      record.id === "before" ? [session] : [],
    )
    const { url: baseUrl, project: directory } = opencode
    const client = createOpencodeClient({ baseUrl, directory })
    const metadata = { troupe: { record: { id: 5, state: "\u001b[2J" } } }
    await client.session.update({ sessionID: session ?? "", metadata })
    await bothShow(/^(?![\s\S]*before failed)[\s\S]*✓ after done/)
  })
})

// 1.18 loads its terminal's parts once.
describeOn(2, "A part of the terminal whose files change", () => {
  const folder = tempFolder("changing")
  let model: ScriptedModel
  let tui: Tui

  beforeAll(async () => {
    for (const each of ["dist", "package.json", "server.js", "tui.js"])
      cpSync(join(root, each), join(folder.path, each), { recursive: true })
    model = await startScriptedModel()
    tui = await startTui({ model, plugin: { path: folder.path } }, 2)
  })
  afterAll(async () => {
    await tui?.stop()
    await model.stop()
    folder.remove()
  })

  test("is loaded again: each job is there once, and goes on to be shown", async () => {
    const job = held("half a")
    model.on("outlast it", job.reply)
    model.script("hand it out", [
      {
        type: "tool",
        calls: [{ name: "agents_start", args: { tasks: [{ id: "lasting", prompt: "outlast it" }] } }],
      },
      { type: "text", text: "It is handed out." },
    ])
    await tui.waitForScreen(/Ask anything[\s\S]*m1 fake/, slowly)
    tui.type("hand it out")
    await tui.waitForScreen(/hand it out/)
    tui.press("Enter")
    await tui.waitForScreen(/• lasting …half a/, slowly)
    const part = join(folder.path, "dist", "tui.js")
    writeFileSync(part, readFileSync(part, "utf8").replaceAll('"Jobs"', '"Jobs anew"'))
    await tui.waitForScreen(/Jobs anew[\s\S]*• lasting/, slowly)
    job.release(" loaf")
    const screen = await tui.waitForScreen(/✓ lasting done/, slowly)
    expect(screen.match(/lasting done/g)).toHaveLength(1)
  })
})

type Address = { url: string; close(): Promise<void> }

/** An address that stays while that behind it changes; nobody answers there while nothing is behind it. */
async function addressFor(urlOf: () => string | undefined): Promise<Address> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    const url = urlOf()
    if (url === undefined) {
      socket.destroy()
      return
    }
    const { hostname, port } = new URL(url)
    connected(socket, connectTo(Number(port), hostname))
  })
  function connected(...ends: [Socket, Socket]): void {
    for (const [end, other] of [ends, ends.toReversed()]) {
      if (!end || !other) continue
      open.add(end)
      end.on("error", () => other.destroy())
      end.on("close", () => {
        open.delete(end)
        other.destroy()
      })
      end.pipe(other)
    }
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("it listens on no port")
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      for (const socket of open) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
