import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { type Browser, chromium, type LaunchOptions } from "playwright-core"

/** A Chromium of this machine: CHROME_PATH, or what is on PATH. */
export function chromiumPath(): string {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
  const folders = (process.env.PATH ?? "").split(delimiter)
  const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  const found = [process.env.CHROME_PATH, ...candidates].find((path) => path && existsSync(path))
  if (!found) throw new Error("These tests need Chromium: install it, or say where it is in CHROME_PATH.")
  return found
}

const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A foreign name for this machine, as DNS rebinding makes one.
  "--host-resolver-rules=MAP rebind.test 127.0.0.1",
]

export function launchChromium(options: LaunchOptions = {}): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args, ...options })
}
