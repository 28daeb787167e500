import { fileURLToPath } from "node:url"

declare const TROUPE_VERSION: string | undefined

/** Built, this module is in dist/chunks. */
const builtCli = typeof TROUPE_VERSION === "string" ? "../cli.js" : "../../../dist/cli.js"

/**
 * What a person runs for a fresh link. By its full path: `npx opencode-troupe` would run whatever anybody publishes
 * under that name.
 */
export const inspectCommand = commandFor(fileURLToPath(new URL(builtCli, import.meta.url)))

export function commandFor(cli: string, platform: NodeJS.Platform = process.platform): string {
  return `node ${quoted(cli, platform)} inspect`
}

/** As one word for a shell, in quotes only where it needs them. */
function quoted(path: string, platform: NodeJS.Platform): string {
  if (platform === "win32") return `"${path}"`
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
