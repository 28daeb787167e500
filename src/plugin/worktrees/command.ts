import { ownCommand } from "../../util/own-command.ts"

/** What a person runs to see the worktrees of jobs. */
export const worktreesCommand = ownCommand("worktrees", "XDG_DATA_HOME")
