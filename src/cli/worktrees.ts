import { worktreesCommand } from "../plugin/worktrees/command.ts"
import type { Command } from "./command.ts"

const help = `Usage: ${worktreesCommand} [--tidy | --discard WHICH [--yes]] [--json]

Lists the worktrees of jobs that were started with isolation: "worktree", in all
projects: how old and how large each one is, what its job is for, what it holds,
and who is using it.

  --tidy           remove those that hold nothing and are not in use, together
                   with their branches, and say why the others are kept
  --discard WHICH  remove one, whatever it holds: its branch, its folder or the
                   id of its job. Says what would be lost, and asks first
  --yes            discard without asking
  --json           print what is listed, tidied or discarded as JSON, as below;
                   --discard then needs --yes
  --help           print this help
  --version        print the version

A worktree holds something if it has commits, changes or new files of its own,
ignored ones too, even if they were applied to the project. It is in use while
its job is under way, or while a process is in its folder, which is known on Linux
only.

JSON of the list, of --tidy and of --discard:
  {worktrees: [WORKTREE], unknown: [folder of no job], remains: [folder]}
  {removed: [WORKTREE], kept: [{worktree, why}], failed: [{worktree, why}],
  remains: [{folder, why}]}
  {discarded: {branch, directory, project, loss, remains?: {folder, why}}}
Remains are files of removed worktrees that could not be removed.
A WORKTREE is
  {directory, owner, job, description?, project, branch, base, madeAt, endedAt?,
  bytes, processes, maker?, state}
where owner is a session, times are milliseconds since 1970, base is the commit
it started from, processes are those in its folder, and maker is the opencode
that made or last used it, if that still runs. Its state has a type: clean,
holding (with holdings), halfMade, forgotten by git (with why and the number of
files), or unreadable (with why). Holdings, and the loss, are
  {commit?, commits, files, uncommitted, repositories, ignored}
of which commits and files are numbers and the last three lists of names. The loss
of what git has forgotten is {files}.

Exit code: 0; 1 if something could not be read, removed or discarded, or you did
not confirm; 2 for invalid arguments.
`

export const worktrees: Command = {
  call: worktreesCommand,
  help,
  flags: ["tidy", "yes", "json"],
  values: { discard: "the branch or the folder of a worktree, or the id of its job, as the list shows it" },
  problemOf({ flags, values }) {
    const isDiscard = values.has("discard")
    if (isDiscard && flags.has("tidy")) return "Either --tidy or --discard: one at a time."
    if (flags.has("yes") && !isDiscard) return "The option --yes is only for --discard: nothing else asks."
    if (flags.has("json") && isDiscard && !flags.has("yes")) {
      return "With --json nothing is asked: --discard needs --yes."
    }
    return undefined
  },
  // git's side is large, and the other commands have no use for it.
  run: async (given, surroundings) => (await import("./worktrees/run.ts")).runWorktrees(given, surroundings),
}
