import { parseArgs } from "node:util"
import { shortJson } from "../../util/short-json.ts"
import { visibleLine } from "../../util/visible.ts"
import { isProof } from "../access/proof.ts"
import { newSecret } from "../access/secrets.ts"
import { LinkAnswer, ProofAnswer } from "../http/api.ts"
import { inspectCommand } from "./command.ts"
import { defaultFolder, type Entry, refusalOf, runningInspectors } from "./register.ts"

declare const TROUPE_VERSION: string | undefined

const help = `Usage: ${inspectCommand} [--open] [--json]

Prints a link to the inspector of each running opencode. Each link is valid once, for ten minutes.

  --open     open the most recently started inspector in the browser
  --json     print [{url, link, project, pid, startedAt}]
  --help     print this help
  --version  print the version

The inspector starts as soon as an opencode with the plugin opencode-troupe has jobs to show.

Exit code: 0 with a link; 1 if no inspector is running; 2 for invalid arguments.
`

export type Surroundings = {
  write(text: string): void
  complain(text: string): void
  /** Where running inspectors are registered. Default: as for the inspectors themselves. */
  registerFolder?: string
  /** Resolves with whether that could be done. */
  open(link: string): Promise<boolean>
}

type Running = Omit<Entry, "secret"> & { link: string }

/** @returns the exit code: 0 with a link, 1 when no inspector is running, 2 for invalid arguments. */
export async function runCli(args: string[], surroundings: Surroundings): Promise<number> {
  const { write, complain, open } = surroundings
  const parsed = parse(args)
  if ("problem" in parsed) {
    complain(`${parsed.problem}\n\n${help}`)
    return 2
  }
  if (parsed.help) return print(write, help)
  if (parsed.version) return print(write, `${version()}\n`)

  const { registerFolder = defaultFolder() } = surroundings
  const running = await linksOf(await runningInspectors(registerFolder))
  if (parsed.json) write(`${ascii(JSON.stringify(running, null, 2))}\n`)
  const [newest] = running
  if (!newest) {
    const refusal = await refusalOf(registerFolder)
    if (!parsed.json) complain(refusal ? nothingRegisters(refusal) : nothingRuns)
    return 1
  }
  if (!parsed.json) write(running.map(({ link, project }) => `${visibleLine(project)}\n  ${link}\n`).join(""))
  if (parsed.open && !(await open(newest.link))) complain(noBrowser)
  return 0
}

const nothingRuns = `No inspector is running.

It starts with the first job: start opencode with the plugin opencode-troupe, and ask an agent to start some jobs.
If jobs are running, check that the option inspector.enabled is true and that opencode runs as this user, and ask the
agent for agents_status: it says why an inspector did not start.
`

const nothingRegisters = (refusal: string) => `No inspector can be found.

${visibleLine(refusal)}: nothing is registered or read there.
Let it and the folder around it belong to this user alone (mode 700), or set XDG_STATE_HOME to another folder, and start
opencode again.
`

const noBrowser = "No browser could be opened from here. Open the link yourself: it has not been used.\n"

const flags = ["open", "json", "help", "version"] as const
type Flag = (typeof flags)[number]
const short: Partial<Record<Flag, string>> = { help: "-h", version: "-v" }

type Parsed = Record<Flag, boolean> | { problem: string }

function parse(args: string[]): Parsed {
  // Not strict: its words for what is wrong are for programmers.
  const { tokens } = parseArgs({ args, strict: false, tokens: true })
  const options: Record<Flag, boolean> = { open: false, json: false, help: false, version: false }
  const words: string[] = []
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue
    if (token.kind === "positional") {
      words.push(token.value)
      continue
    }
    const flag = flags.find((each) => token.rawName === `--${each}` || token.rawName === short[each])
    if (flag === undefined) return { problem: `Unknown option: ${token.rawName}` }
    if (token.value !== undefined) return { problem: `The option --${flag} takes no value.` }
    options[flag] = true
  }
  if (options.help || options.version) return options
  if (words.length === 0) return { problem: "No command given." }
  return words.join(" ") === "inspect" ? options : { problem: `Unknown command: ${words.join(" ")}` }
}

function print(write: (text: string) => void, text: string): number {
  write(text)
  return 0
}

/** An inspector that does not answer is gone, and could not remove its registration. */
async function linksOf(entries: Entry[]): Promise<Running[]> {
  const links = await Promise.all(entries.map(freshLink))
  return entries.flatMap(({ secret: _secret, ...entry }, index) => {
    const link = links[index]
    return link === undefined ? [] : [{ ...entry, link }]
  })
}

/** Longest wait for an inspector's answer, milliseconds. */
const answerTimeout = 3_000

async function freshLink({ url, secret }: Entry): Promise<string | undefined> {
  // After a crash, the port may be another program's.
  const guarded = { signal: AbortSignal.timeout(answerTimeout), redirect: "error" } as const
  try {
    const nonce = newSecret()
    const answer = await shortJson(await fetch(new URL(`/api/proof?nonce=${nonce}`, url), guarded))
    if (!isProof(ProofAnswer.parse(answer).proof, { url, secret, nonce })) return undefined
    const response = await fetch(new URL("/api/link", url), {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "x-troupe": "1", "content-type": "application/json" },
      body: "{}",
      ...guarded,
    })
    const { link } = LinkAnswer.parse(await shortJson(response))
    return link.startsWith(url) && isLink.test(link.slice(url.length)) ? link : undefined
  } catch {
    return undefined
  }
}

const isLink = /^\/#link=[\w-]+$/

/** JSON in which nothing is hidden, and no terminal finds anything to carry out. */
const ascii = (json: string) =>
  json.replace(/[^\x20-\x7e\n]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** Defined by the build. */
const version = () => (typeof TROUPE_VERSION === "string" ? TROUPE_VERSION : "development")
