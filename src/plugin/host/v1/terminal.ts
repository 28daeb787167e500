import * as z from "zod"
import {
  commandPrefix,
  type Standing,
  type TerminalCommand,
  type TerminalNews,
  type TerminalService,
} from "../../../terminal/contract.ts"
import { typeOf } from "../event-type.ts"

const eventType = "tui.command.execute"
const Event = z.object({
  properties: z.object({ command: z.string().startsWith(commandPrefix) }),
})
const Command: z.ZodType<TerminalCommand> = z.discriminatedUnion("act", [
  z.object({ act: z.literal("inspect") }),
  z.object({ act: z.literal("cancel"), session: z.string() }),
  z.object({ act: z.literal("send"), session: z.string(), message: z.string() }),
  z.object({ act: z.literal("arrive") }),
])

/** What the terminal asks for in this event, if it does. */
export function commandIn(event: object): TerminalCommand | undefined {
  const data = typeOf(event) === eventType ? Event.safeParse(event).data : undefined
  if (!data) return undefined
  try {
    return Command.safeParse(JSON.parse(data.properties.command.slice(commandPrefix.length))).data
  } catch {
    return undefined
  }
}

/** The command by which terminals hear of it. */
export function commandOf(standing: Standing): string {
  const news: TerminalNews = { tell: "standing", ...standing }
  return `${commandPrefix}${JSON.stringify(news)}`
}

/** Returns what the person is to be told of it, if anything. */
export async function carryOut(
  command: TerminalCommand,
  service: TerminalService,
): Promise<string | undefined> {
  switch (command.act) {
    case "arrive":
      return undefined
    case "inspect":
      return `The inspector, for ten minutes:\n${(await service.inspect()).link}`
    case "cancel":
      service.cancel(command)
      return undefined
    case "send":
      await service.send(command)
      return undefined
  }
}
