import { commandPrefix, type TerminalCommand } from "../contract.ts"
import type { Api } from "./api-of-1.ts"
import { fieldIn, textIn, unreachable } from "./foreign.ts"

/** Has the server part act, by a command of 1.18's terminal that plugins hear of. */
export async function tell({ tui }: Pick<Api["client"], "tui">, given: TerminalCommand): Promise<void> {
  const properties = { command: `${commandPrefix}${JSON.stringify(given)}` }
  done(await tui.publish({ body: { type: "tui.command.execute", properties } }))
}

/** @throws Error that says why opencode refused */
export function done({ error }: { error?: unknown }): void {
  if (error === undefined) return
  if (textIn(error, "code") === "ConnectionRefused") throw new Error(unreachable)
  const [words = JSON.stringify(error)] = [error, fieldIn(error, "data")].flatMap(
    (each) => textIn(each, "message") || [],
  )
  throw new Error(`opencode refused: ${words}`)
}

/** @throws Error that says why opencode gives none */
export function given<Data>({ data, error }: { data?: Data; error?: unknown }): Data {
  done({ error })
  if (data === undefined) throw new Error(unreachable)
  return data
}
