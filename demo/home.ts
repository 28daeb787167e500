import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as z from "zod"
import type { Generation } from "../test/support/any-opencode.ts"
import { type TempFolder, tempFolder } from "../test/support/temp-folder.ts"

const plugin = "@opencode-ai/plugin"

/** A new home for opencode. */
export function demoHome(generation: Generation): TempFolder {
  const home = tempFolder("demo")
  // Bun unpacks files here: they are removed with the home.
  mkdirSync(join(home.path, "tmp"))
  if (generation === 1) linkPluginPackage(join(home.path, ".config", "opencode"))
  return home
}

/** opencode 1.18 would install `@opencode-ai/plugin` from the registry, which takes 6 seconds or more. */
function linkPluginPackage(config: string): void {
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
}
