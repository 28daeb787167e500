import { fileURLToPath } from "node:url"

declare const TROUPE_VERSION: string | undefined

/** The command line in the package: the build puts it beside the folder of the chunk that this is in. */
const builtCli = typeof TROUPE_VERSION === "string" ? "../cli.js" : "../../../dist/cli.js"

/**
 * What a person runs for a fresh link. By its full path: the package may be in no registry, and under its name there
 * anybody could publish another.
 */
export const inspectCommand = commandFor(fileURLToPath(new URL(builtCli, import.meta.url)))

export function commandFor(cli: string, platform: NodeJS.Platform = process.platform): string {
  return `node ${quoted(cli, platform)} inspect`
}

/** As one word of a shell. Double quotes do everywhere, unless a POSIX shell would look for more in them. */
function quoted(path: string, platform: NodeJS.Platform): string {
  const isPlain = platform === "win32" || !/["$`\\!]/.test(path)
  return isPlain ? `"${path}"` : `'${path.replaceAll("'", `'\\''`)}'`
}
