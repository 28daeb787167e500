import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as z from "zod"
import { type TempFolder, tempFolder } from "../test/support/temp-folder.ts"

const plugin = "@opencode-ai/plugin"

/**
 * A new home for opencode that already holds `@opencode-ai/plugin`, linked from this checkout: opencode would install
 * it from the registry, which takes 6 seconds or more.
 */
export function demoHome(): TempFolder {
  const home = tempFolder("demo")
  const config = join(home.path, ".config", "opencode")
  const installed = join(import.meta.dirname, "..", "node_modules", plugin)
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(installed, "package.json"), "utf8")))

  const dependencies = { [plugin]: version }
  mkdirSync(join(config, "node_modules", "@opencode-ai"), { recursive: true })
  symlinkSync(installed, join(config, "node_modules", plugin), "junction")
  writeFileSync(join(config, "package.json"), JSON.stringify({ dependencies }))
  writeFileSync(
    join(config, "package-lock.json"),
    JSON.stringify({ lockfileVersion: 3, packages: { "": { dependencies } } }),
  )
  // Bun unpacks files here: they are removed with the home.
  mkdirSync(join(home.path, "tmp"))
  return home
}
