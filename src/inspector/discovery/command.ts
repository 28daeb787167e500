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

/** As one word for a shell. Double quotes work in every shell, unless a POSIX shell would expand what is in them. */
function quoted(path: string, platform: NodeJS.Platform): string {
  const isPlain = platform === "win32" || !/["$`\\!]/.test(path)
  return isPlain ? `"${path}"` : `'${path.replaceAll("'", `'\\''`)}'`
}
