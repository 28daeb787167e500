import { ownCommand } from "../../util/own-command.ts"

/** What a person runs for a fresh link. */
export const inspectCommand = ownCommand("inspect", "XDG_STATE_HOME")
