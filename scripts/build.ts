import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { build } from "esbuild"
import * as z from "zod"
import { Options } from "../src/plugin/options.ts"
import { writePage } from "./build-page.ts"
import { noUris } from "./no-uris.ts"
import { thirdPartyLicenses } from "./third-party-licenses.ts"
import { usedClient } from "./used-client.ts"

/** Makes dist/: what users get. Dependencies are bundled: an install is one small package, and a start one file. */

const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync("package.json", "utf8")))

// Built beside the old one, which whoever is just starting may still read.
const made = `dist.${process.pid}`
mkdirSync(made)

const server = await build({
  entryPoints: { server: "src/plugin/server.ts", cli: "src/cli/bin.ts" },
  plugins: [usedClient, noUris],
  define: { TROUPE_VERSION: JSON.stringify(version) },
  outdir: made,
  bundle: true,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  platform: "node",
  target: "node20",
  minify: true,
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
})

const terminal = await build({
  entryPoints: { tui: "src/terminal/tui.ts" },
  outdir: made,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "esnext",
  // opencode lends them.
  external: ["opentui:*", "solid-js", "@opentui/solid"],
  minify: true,
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
})

const page = await writePage(new URL(`../${made}/page/`, import.meta.url))

writeFileSync(
  `${made}/THIRD-PARTY-LICENSES.txt`,
  thirdPartyLicenses([server.metafile, terminal.metafile, page]),
)

writeFileSync(
  `${made}/server.d.ts`,
  [
    "/** The opencode plugin: named in opencode.json, loaded by opencode. */",
    'declare const plugin: import("@opencode-ai/plugin").PluginModule',
    "export default plugin",
    "",
  ].join("\n"),
)

writeFileSync(
  `${made}/tui.d.ts`,
  [
    "/** The part in opencode's terminal, loaded by opencode: its types are those of what opencode hands to it. */",
    "declare const plugin: { id: string; tui(api: never): Promise<void>; setup(context: never): void }",
    "export default plugin",
    "",
  ].join("\n"),
)

const schema = z.toJSONSchema(Options, {
  io: "input",
  // For this product's own words, unknown to JSON Schema.
  override: ({ jsonSchema }) => void delete jsonSchema.requirement,
})
writeFileSync(
  `${made}/options.schema.json`,
  `${JSON.stringify({ title: "opencode-troupe", ...schema }, null, 2)}\n`,
)
execFileSync(process.execPath, ["--check", `${made}/server.js`])

rmSync("dist", { recursive: true, force: true })
renameSync(made, "dist")
