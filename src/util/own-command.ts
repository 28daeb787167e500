import { fileURLToPath } from "node:url"

/** Seen from src/util, and from dist/chunks, where this module is once it is built. */
const builtCli = "../../dist/cli.js"

export type CommandPlace = {
  cli?: string
  platform?: NodeJS.Platform
  env?: NodeJS.ProcessEnv
}

/**
 * What a person runs for a command of ours. By its full path: `npx opencode-troupe` would run whatever anybody publishes
 * under that name.
 * @param folder the variable that says where what the command reads is kept. Set for opencode alone, it would have the
 * command look elsewhere.
 */
export function ownCommand(
  name: string,
  folder: "XDG_STATE_HOME" | "XDG_DATA_HOME",
  { cli = ownCli(), platform = process.platform, env = process.env }: CommandPlace = {},
): string {
  const path = env[folder]
  // Windows has no shell that all have, and nobody sets it there.
  const set = path && platform !== "win32" ? `${folder}=${quoted(path, platform)} ` : ""
  return `${set}node ${quoted(cli, platform)} ${name}`
}

const ownCli = () => fileURLToPath(new URL(builtCli, import.meta.url))

/** As one word for a shell, in quotes only where it needs them. */
export function quoted(path: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === "win32") return `"${path}"`
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
