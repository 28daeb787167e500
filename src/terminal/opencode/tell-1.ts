import { commandPrefix, type TerminalCommand } from "../contract.ts"
import type { Api } from "./api-of-1.ts"

/** Has the server part act, by a command of 1.18's terminal that plugins hear of. */
export async function tell({ tui }: Pick<Api["client"], "tui">, given: TerminalCommand): Promise<void> {
  const properties = { command: `${commandPrefix}${JSON.stringify(given)}` }
  done(await tui.publish({ body: { type: "tui.command.execute", properties } }))
}

/** @throws Error where opencode refused. */
export function done({ error }: { error?: unknown }): void {
  if (error !== undefined) throw new Error(`opencode refused: ${JSON.stringify(error)}`)
}
