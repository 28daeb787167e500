import { isProof } from "../inspector/access/proof.ts"
import { newSecret } from "../inspector/access/secrets.ts"
import { inspectCommand } from "../inspector/discovery/command.ts"
import { defaultFolder, type Entry, runningInspectors } from "../inspector/discovery/register.ts"
import { LinkAnswer, ProofAnswer } from "../inspector/http/api.ts"
import { refusalOf } from "../util/own-folder.ts"
import { shortJson } from "../util/short-json.ts"
import { visibleLine } from "../util/visible.ts"
import type { Command, Given } from "./command.ts"
import { printedJson } from "./json.ts"
import type { Surroundings } from "./surroundings.ts"

const help = `Usage: ${inspectCommand} [--open] [--json]

Prints a link to the inspector of each running opencode. Each link is valid once, for ten minutes.

  --open     open the most recently started inspector in the browser
  --json     print [{url, link, project, pid, startedAt}]
  --help     print this help
  --version  print the version

The inspector starts as soon as an opencode with the plugin opencode-troupe has jobs to show.

Exit code: 0 with a link; 1 if no inspector is running; 2 for invalid arguments.
`

export const inspect: Command = { call: inspectCommand, help, flags: ["open", "json"], run }

type Running = Omit<Entry, "secret"> & { link: string }

async function run({ flags }: Given, surroundings: Surroundings): Promise<number> {
  const { write, complain, open, registerFolder = defaultFolder() } = surroundings
  const isJson = flags.has("json")
  const running = await linksOf(await runningInspectors(registerFolder))
  if (isJson) write(printedJson(running))
  const [newest] = running
  if (!newest) {
    const refusal = await refusalOf(registerFolder)
    if (!isJson) complain(refusal ? nothingRegisters(refusal) : nothingRuns)
    return 1
  }
  if (!isJson) write(running.map(({ link, project }) => `${visibleLine(project)}\n  ${link}\n`).join(""))
  if (flags.has("open") && !(await open(newest.link))) complain(noBrowser)
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
