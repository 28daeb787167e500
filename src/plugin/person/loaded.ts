import { fileURLToPath } from "node:url"
import type { Options } from "../options.ts"

declare const TROUPE_VERSION: string | undefined

/**
 * One line for opencode's log: that the plugin is there, and with which options.
 * @param entry the URL of dist/server.js, beside which the build puts dist/cli.js.
 */
export function loadedLine(options: Options, entry: string): string {
  const { concurrency, timeoutSeconds, idleSeconds, depth, notify, recover, inspector } = options
  const settings = [
    `concurrency ${concurrency}`,
    `timeout ${timeoutSeconds} s`,
    `idle timeout ${idleSeconds} s`,
    `depth ${depth}`,
    `notify ${notify}`,
    `recover ${recover}`,
    inspector.enabled ? `inspector: ${inspectorCommand(entry)}` : "no inspector",
  ]
  return `opencode-troupe ${version()} loaded: ${settings.join(", ")}`
}

/**
 * Works from any folder: the package may be on no PATH, and its name is on no registry. Without quotes where they are
 * not required: opencode's log escapes them.
 */
function inspectorCommand(entry: string): string {
  const path = fileURLToPath(new URL("cli.js", entry))
  return `node ${/^[\w@:/\\.+-]+$/.test(path) ? path : `"${path}"`} inspect`
}

/** Put in by the build. */
const version = () => (typeof TROUPE_VERSION === "string" ? TROUPE_VERSION : "development")
