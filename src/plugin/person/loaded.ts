import type { Options } from "../options.ts"

declare const TROUPE_VERSION: string | undefined

/**
 * One line for opencode's log: that the plugin is there, and with which options.
 * @param inspectCommand what a person types for a link to the inspector
 */
export function loadedLine(options: Options, inspectCommand: string): string {
  const { concurrency, timeoutSeconds, idleSeconds, depth, notify, recover, inspector } = options
  const settings = [
    `concurrency ${concurrency}`,
    `timeout ${timeoutSeconds} s`,
    `idle timeout ${idleSeconds} s`,
    `depth ${depth}`,
    `notify ${notify}`,
    `recover ${recover}`,
    inspector.enabled ? `inspector: ${inspectCommand}` : "no inspector",
  ]
  return `opencode-troupe ${version()} loaded: ${settings.join(", ")}`
}

/** Put in by the build. */
const version = () => (typeof TROUPE_VERSION === "string" ? TROUPE_VERSION : "development")
