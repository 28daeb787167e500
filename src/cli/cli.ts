import { inspectCommand } from "../inspector/discovery/command.ts"
import { worktreesCommand } from "../plugin/worktrees/command.ts"
import { visibleLine } from "../util/visible.ts"
import { parse } from "./arguments.ts"
import type { Command } from "./command.ts"
import { inspect } from "./inspect.ts"
import type { Surroundings } from "./surroundings.ts"
import { worktrees } from "./worktrees.ts"

declare const TROUPE_VERSION: string | undefined

const commands = new Map<string, Command>([
  ["inspect", inspect],
  ["worktrees", worktrees],
])

const help = `Usage: ${inspectCommand} [OPTION...]
       ${worktreesCommand} [OPTION...]

  inspect    print a link to the inspector of each running opencode
  worktrees  list the worktrees of jobs, tidy them up, or discard one

  --help     print this help; after a command, that of the command
  --version  print the version
`

/** @returns the exit code: 2 for invalid arguments, else that of the command. */
export async function runCli(args: string[], surroundings: Surroundings): Promise<number> {
  const { write, complain } = surroundings
  const name = args.find((each) => !each.startsWith("-"))
  const command = name === undefined ? undefined : commands.get(name)
  const given = parse(args, command)
  const refuse = (problem: string) => {
    complain(command ? `${problem}\nSee ${command.call} --help\n` : `${problem}\n\n${help}`)
    return 2
  }
  if ("problem" in given) return refuse(command ? given.problem : unknown(name))
  if (given.flags.has("help")) return print(write, command?.help ?? help)
  if (given.flags.has("version")) return print(write, `${version()}\n`)
  if (!command) return refuse(unknown(given.words.join(" ")))
  const [, ...extra] = given.words
  if (extra.length > 0) return refuse(`${name} takes options only, not: ${visibleLine(extra.join(" "))}`)
  const problem = command.problemOf?.(given)
  return problem === undefined ? command.run(given, surroundings) : refuse(problem)
}

const unknown = (words = "") =>
  words === "" ? "No command given." : `Unknown command: ${visibleLine(words)}`

function print(write: (text: string) => void, text: string): number {
  write(text)
  return 0
}

/** Defined by the build. */
const version = () => (typeof TROUPE_VERSION === "string" ? TROUPE_VERSION : "development")
