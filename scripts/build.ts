import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { build } from "esbuild"
import * as z from "zod"
import { Options } from "../src/plugin/options.ts"

/** Makes dist/: what users get. Dependencies are bundled: an install is one small package, and a start one file. */

rmSync("dist", { recursive: true, force: true })
mkdirSync("dist")

await build({
  entryPoints: { server: "src/plugin/server.ts" },
  outdir: "dist",
  bundle: true,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  platform: "node",
  target: "node20",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "linked",
  logLevel: "warning",
})

writeFileSync(
  "dist/server.d.ts",
  [
    "/** The opencode plugin: named in opencode.json, loaded by opencode. */",
    'declare const plugin: import("@opencode-ai/plugin").PluginModule',
    "export default plugin",
    "",
  ].join("\n"),
)

const schema = z.toJSONSchema(Options, { io: "input" })
writeFileSync(
  "dist/options.schema.json",
  `${JSON.stringify({ title: "opencode-troupe", ...schema }, null, 2)}\n`,
)
execFileSync(process.execPath, ["--check", "dist/server.js"])
