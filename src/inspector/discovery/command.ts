import { fileURLToPath } from "node:url"

declare const TROUPE_VERSION: string | undefined

/** Built, this module is in dist/chunks. */
const builtCli = typeof TROUPE_VERSION === "string" ? "../cli.js" : "../../../dist/cli.js"

/**
 * What a person runs for a fresh link. By its full path: `npx opencode-troupe` would run whatever anybody publishes
 * under that name.
 */
export const inspectCommand = commandFor(fileURLToPath(new URL(builtCli, import.meta.url)))

export function commandFor(
  cli: string,
  platform: NodeJS.Platform = process.platform,
  env: NodeJS.ProcessEnv = process.env,
): string {
  return `${stateHome(env, platform)}node ${quoted(cli, platform)} inspect`
}

/** Set for opencode alone, it would lead the command to another folder than the inspector's. */
function stateHome({ XDG_STATE_HOME: path }: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  // Windows has no shell that all have, and nobody sets it there.
  return path && platform !== "win32" ? `XDG_STATE_HOME=${quoted(path, platform)} ` : ""
}

/** As one word for a shell, in quotes only where it needs them. */
function quoted(path: string, platform: NodeJS.Platform): string {
  if (platform === "win32") return `"${path}"`
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
