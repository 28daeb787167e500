import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { readdir, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { makeOwnFolder } from "../../util/own-folder.ts"
import { defaultFolder } from "./register.ts"

/** As long as a link can be used. Milliseconds. */
const lifetime = 10 * 60_000

/**
 * Opens the link in the browser as the platform does. Every user of the machine sees a program's arguments, so they
 * name a file that this user alone can read, and that leads on.
 * @returns whether there is a program that opens browsers
 */
export async function openInBrowser(link: string, folder = defaultFolder()): Promise<boolean> {
  return launch(pathToFileURL(await leadingTo(link, folder)).href)
}

/** Writes a file that leads to the link. Earlier ones, whose links no longer work, are removed. */
export async function leadingTo(link: string, folder: string): Promise<string> {
  await makeOwnFolder(folder)
  const names = await readdir(folder)
  await Promise.all(
    names.filter((name) => name.endsWith(".html")).map((name) => removeOld(join(folder, name))),
  )
  const file = join(folder, `${randomUUID()}.html`)
  await writeFile(file, page(link), { mode: 0o600, flag: "wx" })
  return file
}

async function removeOld(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined)
  if (found && Date.now() - found.mtimeMs > lifetime) await rm(file, { force: true })
}

/** The link is one of ours, and has nothing in it that would have to be escaped. */
const page = (link: string) =>
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">' +
  `<meta http-equiv="refresh" content="0; url=${link}"><title>opencode-troupe</title></head>` +
  `<body><p><a href="${link}">Open the inspector</a></p></body></html>\n`

function launch(url: string): Promise<boolean> {
  const [command, args] =
    process.platform === "darwin"
      ? ["open", [url]]
      : process.platform === "win32"
        ? ["rundll32", ["url.dll,FileProtocolHandler", url]]
        : ["xdg-open", [url]]
  const child = spawn(command, args, { stdio: "ignore", detached: true })
  return new Promise((resolve) => {
    child.once("error", () => resolve(false))
    child.once("spawn", () => resolve(true))
    child.unref()
  })
}
