import { worktreesCommand } from "../plugin/worktrees/command.ts"
import type { Command } from "./command.ts"

const help = `Usage: ${worktreesCommand} [--tidy | --discard WHICH [--yes]] [--json]

Lists the worktrees of jobs that were started with isolation: "worktree", in all
projects: how old and how large each is, whose it is, what it holds, and who is
in it.

  --tidy           remove those that hold nothing and that nobody uses, with
                   their branches, and say why the others are kept
  --discard WHICH  remove one, given its branch or its folder, with all that it
                   holds; first says what would be lost, and asks
  --yes            discard without asking
  --json           print what is listed, tidied or discarded as JSON; --discard
                   needs --yes then
  --help           print this help
  --version        print the version

A worktree holds something if it has commits, changes or new files of its own,
ignored ones too, even if they were applied to the project. It is in use while a
process is in its folder, which Linux alone tells, or while the opencode runs
whose job it is.

Exit code: 0; 1 if something could not be listed, removed or discarded, or was
not to be; 2 for invalid arguments.
`

export const worktrees: Command = {
  help,
  flags: ["tidy", "yes", "json"],
  values: { discard: "the branch or the folder of a worktree, as the list shows it" },
  problemOf({ flags, values }) {
    const isDiscard = values.has("discard")
    if (isDiscard && flags.has("tidy")) return "Either --tidy or --discard: one at a time."
    if (flags.has("yes") && !isDiscard) return "The option --yes is for --discard alone: nothing else asks."
    if (flags.has("json") && isDiscard && !flags.has("yes")) {
      return "With --json nothing is asked: --discard needs --yes."
    }
    return undefined
  },
  // git's side is large, and the other commands have no use for it.
  run: async (given, surroundings) => (await import("./worktrees/run.ts")).runWorktrees(given, surroundings),
}
