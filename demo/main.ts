import { constants } from "node:os"
import { setImmediate as nextTurn } from "node:timers/promises"
import { parseArgs } from "node:util"
import { type Colours, coloursFor } from "./colours.ts"
import { liveView } from "./live-view.ts"
import { plainView } from "./plain-view.ts"
import { resultLines } from "./results.ts"
import { type Outcome, run } from "./run.ts"
import { concurrency, fates, request } from "./script.ts"
import { outcomes, seconds, wrapped } from "./words.ts"

const help = `npm run demo [-- --keep | --help]

Shows opencode-troupe at work: the real opencode with this plugin, in a temporary home and project, and a scripted
model on this machine's loopback. A main agent hands out eight jobs in one call; each meets another fate. It takes
about ten seconds and needs git, but no account and no network. It leaves nothing behind, after Ctrl-C too.

It begins with a link to the inspector, where the same jobs are seen in a browser; --keep leaves that up until Ctrl-C.
In a terminal the jobs are shown live; elsewhere each change is a line. NO_COLOR=1 switches colours off.

Exit code: 0 when everything came out as scripted, 1 when not, 2 for a flag that does not exist, 130 after Ctrl-C.`

const out = process.stdout
const say = (line = "") => void out.write(`${line}\n`)
/** A pipe has no width. */
const width = () => (out.isTTY ? Math.min(out.columns, 100) : undefined)
const sayWrapped = (words: string) => say(wrapped(words, width()).join("\n"))
const complain = (line: string) => void process.stderr.write(`${line}\n`)

/** With --keep, Ctrl-C is the ordinary end: the exit code that the outcome asked for. */
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
    return `${error instanceof Error ? error.message.split(". ")[0] : error}. There are --keep and --help: npm run demo -- --help`
  }
}

async function show(keep: boolean): Promise<number> {
  const colours = coloursFor(out)
  const isTerminal = out.isTTY && process.env.TERM !== "dumb"
  const view = isTerminal ? liveView(out, colours) : plainView(say)
  endOnSignals(() => view.close())

  const startedAt = Date.now()
  sayWrapped(
    `${colours.bold("opencode-troupe")}: many subagents at once (the real opencode, a scripted model)`,
  )
  sayWrapped(
    `A person says “${request}” The main agent hands out ${fates.length} jobs in one call, ` +
      `${concurrency} at a time, and collects every result. Each job meets another fate.`,
  )
  say()
  let code = 1
  try {
    await run(view, async (outcome) => {
      code = report(outcome, startedAt, colours)
      if (!keep) return
      say("opencode and its inspector stay up. Ctrl-C ends them.")
      whenKept.code = code
      await new Promise(() => {})
    })
    return code
  } catch (error) {
    // Ctrl-C breaks what runs at the same moment: let it be heard first.
    await nextTurn()
    view.close()
    complain(colours.red(`✗ The demo could not run: ${wordsOf(error)}`))
    return 1
  }
}

/** Says what came out, and gives the exit code for it. */
function report({ board, results, answer, surprises }: Outcome, startedAt: number, colours: Colours): number {
  say()
  say(colours.bold("What the main agent got"))
  for (const line of resultLines(results, colours, width())) say(line)
  say()
  say(colours.bold("What it made of that"))
  sayWrapped(answer)
  say()
  for (const surprise of surprises) sayWrapped(colours.red(`✗ ${surprise}`))
  const summary = `${outcomes(board.jobs)}, in ${seconds(Date.now() - startedAt)}`
  if (surprises.length === 0) {
    sayWrapped(colours.green(`✓ All ${fates.length} jobs as expected: ${summary}.`))
    return 0
  }
  say(colours.red(`✗ Not as expected: ${summary}. This is a bug of opencode-troupe, or a very slow machine.`))
  return 1
}

/** Leaving runs what must be cleaned up (test/support/cleanup.ts), also when it is in the middle of anything. */
function endOnSignals(leave: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      leave()
      if (whenKept.code !== undefined) process.exit(whenKept.code)
      complain("Stopped. All that the demo had started is being ended and removed.")
      process.exit(128 + constants.signals[signal])
    })
  }
  // Whoever read the output has gone (`| head`).
  out.on("error", () => process.exit(1))
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ("code" in error && error.code === "ENOENT" && "path" in error && error.path === "git") {
    return "git is not installed, and opencode's project must be a git repository"
  }
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}
