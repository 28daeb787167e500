import { constants } from "node:os"
import { setImmediate as nextTurn } from "node:timers/promises"
import { parseArgs } from "node:util"
import { coloursFor } from "./colours.ts"
import { liveView } from "./live-view.ts"
import { plainView } from "./plain-view.ts"
import { introLines, outcomeLines } from "./report.ts"
import { run } from "./run.ts"
import { wrapped } from "./words.ts"

const help = `npm run demo [-- --keep | --help]

Shows opencode-troupe at work: the real opencode with this plugin in a temporary home and project, and a scripted
model on the loopback interface. The main agent starts eight jobs in one call: five succeed, one fails, one times out
and one is cancelled. It takes about ten seconds. It requires git, but no account and no network, and it removes
everything it made, also after Ctrl-C.

It prints a link to the inspector, which shows the same jobs in a browser; --keep keeps opencode and the inspector
running until Ctrl-C. A terminal shows the jobs live, a pipe gets one line for each change. NO_COLOR=1 disables colours.

Exit code: 0 if every job ended as scripted, 1 if not, 2 for an unknown flag, 130 after Ctrl-C.`

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
  const problem = wrongFlag()
  if (problem) {
    complain(problem)
    return 2
  }
  if (process.argv.slice(2).includes("--help")) {
    say(help)
    return 0
  }
  return show(process.argv.slice(2).includes("--keep"))
}

function wrongFlag(): string | undefined {
  try {
    parseArgs({ options: { help: { type: "boolean" }, keep: { type: "boolean" } } })
    return undefined
  } catch (error) {
    return `${error instanceof Error ? error.message.split(". ")[0] : error}. The flags are --keep and --help.`
  }
}

async function show(keep: boolean): Promise<number> {
  const colours = coloursFor(out)
  const isTerminal = out.isTTY && process.env.TERM !== "dumb"
  const view = isTerminal ? liveView(out, colours) : plainView(say)
  endOnSignals(() => view.close())

  const startedAt = Date.now()
  sayWrapped(`${colours.bold("opencode-troupe")}: many subagents at once (real opencode, scripted model)`)
  for (const line of introLines(width())) say(line)
  say()
  let code = 1
  try {
    await run(view, async (outcome) => {
      say()
      for (const line of outcomeLines(outcome, Date.now() - startedAt, colours, width())) say(line)
      code = outcome.problems.length === 0 ? 0 : 1
      if (!keep) return
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
