import { constants } from "node:os"
import { setImmediate as nextTurn } from "node:timers/promises"
import { parseArgs } from "node:util"
import { type Generation, nameOf } from "../test/support/any-opencode.ts"
import { coloursFor } from "./colours.ts"
import { choose } from "./generation.ts"
import { liveView } from "./live-view.ts"
import { plainView } from "./plain-view.ts"
import { introLines, outcomeLines } from "./report.ts"
import { run } from "./run.ts"
import { wrapped } from "./words.ts"

const help = `npm run demo [-- --opencode 1|2] [--keep] [--help]

Shows opencode-troupe at work: the real opencode with this plugin in a temporary home and project, and a scripted
model on the loopback interface. The main agent starts eight jobs in one call: five succeed, one fails, one times out
and one is cancelled. It takes about ten seconds. It requires git but no account, and it removes everything it made,
even after Ctrl-C.

  --opencode 1|2   uses opencode 1.18 or opencode 2. Default: 2 if there is one for this machine, else 1.18.
                   opencode 2 is the executable that OPENCODE2 names; else the one in test/opencode-2 (Linux x64),
                   which is installed from the npm registry the first time; else an opencode2 or opencode in the PATH.
  --keep           keeps opencode and the inspector running until Ctrl-C
  --help

It prints a link to the inspector, which shows the same jobs in a browser. A terminal shows the jobs live, a pipe gets
one line for each change. NO_COLOR=1 disables colours.

Exit code: 0 if every job ended as scripted; 1 if not, or if the requested opencode is missing; 2 for an invalid flag;
130 after Ctrl-C.`

const out = process.stdout
const say = (line = "") => void out.write(`${line}\n`)
/** A pipe has no width. */
const width = () => (out.isTTY ? Math.min(out.columns, 100) : undefined)
const sayWrapped = (words: string) => say(wrapped(words, width()).join("\n"))
const complain = (line: string) => void process.stderr.write(`${line}\n`)

/** With --keep, Ctrl-C is the normal end: this is the exit code of the outcome. */
const whenKept: { code?: number } = {}

process.exitCode = await main()

async function main(): Promise<number> {
  const flags = readFlags()
  if ("problem" in flags) {
    complain(`${flags.problem}. The flags are --opencode 1|2, --keep and --help.`)
    return 2
  }
  if (flags.help) {
    say(help)
    return 0
  }
  return show(flags)
}

type Flags = { help: boolean; keep: boolean; asked: Generation | undefined }

function readFlags(): Flags | { problem: string } {
  const flag = { type: "boolean", default: false } as const
  try {
    const { values } = parseArgs({ options: { help: flag, keep: flag, opencode: { type: "string" } } })
    const { opencode, ...flags } = values
    if (opencode === undefined) return { ...flags, asked: undefined }
    if (opencode === "1" || opencode === "2") return { ...flags, asked: opencode === "1" ? 1 : 2 }
    return { problem: `--opencode is "${opencode}"; it must be 1 or 2` }
  } catch (error) {
    return { problem: String(error instanceof Error ? error.message.split(". ")[0] : error) }
  }
}

async function show({ keep, asked }: Flags): Promise<number> {
  const colours = coloursFor(out)
  const isTerminal = out.isTTY && process.env.TERM !== "dumb"
  const view = isTerminal ? liveView(out, colours) : plainView(say)
  endOnSignals(() => view.close())

  const startedAt = Date.now()
  let code = 1
  try {
    const { generation, note } = choose(asked)
    const title = colours.bold("opencode-troupe")
    sayWrapped(`${title}: many subagents at once (the real ${nameOf(generation)}, a scripted model)`)
    if (note !== undefined) sayWrapped(note)
    for (const line of introLines(width())) say(line)
    say()
    await run(generation, view, async (outcome) => {
      say()
      for (const line of outcomeLines(outcome, Date.now() - startedAt, colours, width())) say(line)
      code = outcome.problems.length === 0 ? 0 : 1
      say()
      if (!keep) {
        say("To look at such jobs in the inspector: npm run demo -- --keep")
        return
      }
      say(`A fresh link to the inspector (valid once, for ten minutes): ${await outcome.freshLink()}`)
      say("opencode and the inspector keep running. Press Ctrl-C to stop them.")
      whenKept.code = code
      await new Promise(() => {})
    })
    return code
  } catch (error) {
    // Ctrl-C also breaks whatever is running: let its handler go first.
    await nextTurn()
    view.close()
    complain(colours.red(`✗ The demo could not run: ${wordsOf(error)}`))
    return 1
  }
}

/** Exiting runs all clean-up (test/support/cleanup.ts), whatever is going on. */
function endOnSignals(leave: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      leave()
      if (whenKept.code !== undefined) process.exit(whenKept.code)
      complain("Stopped. Everything the demo started is being removed.")
      process.exit(128 + constants.signals[signal])
    })
  }
  // The reader of our output is gone (`| head`).
  out.on("error", () => process.exit(1))
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ("code" in error && error.code === "ENOENT" && "path" in error && error.path === "git") {
    return "git is not installed, and opencode's project must be a git repository"
  }
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}
