import { inspectCommand } from "../../inspector/discovery/command.ts"
import type { Options } from "../options.ts"
import { version } from "../util/version.ts"

/** One line for opencode's log: the plugin is loaded, with these options. */
export function loadedLine(options: Options): string {
  const { concurrency, timeoutSeconds, idleSeconds, depth, notify, notifySeconds, recover, inspector } =
    options
  const settings = [
    `concurrency ${concurrencyWords(concurrency)}`,
    `timeout ${timeoutSeconds} s`,
    `idle timeout ${idleSeconds} s`,
    `depth ${depth}`,
    notify === "batch" ? `notify batch within ${notifySeconds} s` : `notify ${notify}`,
    `recover ${recover}`,
    // The log escapes double quotes, and a command with backslashes cannot be pasted.
    inspector.enabled ? `inspector: ${inspectCommand.replaceAll('"', "'")}` : "no inspector",
  ]
  return `version ${version} loaded: ${settings.join(", ")}`
}

/** `8 (anthropic 4, anthropic/claude-opus-4-1 2)` */
function concurrencyWords(concurrency: Options["concurrency"]): string {
  if (typeof concurrency === "number") return `${concurrency}`
  const { total, providers, models } = concurrency
  const limits = Object.entries({ ...providers, ...models }).map(([of, most]) => `${of} ${most}`)
  return limits.length > 0 ? `${total} (${limits.join(", ")})` : `${total}`
}
